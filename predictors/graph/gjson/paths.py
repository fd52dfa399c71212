"""Paths, compiled once and evaluated for every request."""

from __future__ import annotations

from typing import Any

import orjson

from predictors.graph.gjson import parsed, walk
from predictors.graph.gjson.checks import find_problem
from predictors.graph.gjson.validity import is_valid
from predictors.graph.gjson.values import MISSING, Result
from predictors.graph.gjson.work import TooMuchWorkError, Work

__all__ = ["Document", "Path", "PathError", "compile_path"]

_FREE_STEPS = 100_000
_STEPS_PER_BYTE = 4


class PathError(ValueError):
    """A path that can only be a mistake.

    `place` is the offset of the trouble in characters, `reason` says what it is.
    """

    def __init__(self, path: str, place: int, reason: str) -> None:
        super().__init__(f'the gjson path "{path}" {reason} (at character {place + 1})')
        self.place = place
        self.reason = reason


class Document:
    """A request's body, parsed once for all the paths that are asked of it."""

    __slots__ = ("body", "is_valid", "parsed")

    def __init__(self, body: bytes) -> None:
        self.body = body
        self.is_valid = True
        """Whether the body is one JSON value; no path finds anything in any other."""
        self.parsed: Any = None
        """The value, as Python has it; None also where only the text can be searched."""
        try:
            self.parsed = orjson.loads(body)
        except orjson.JSONDecodeError:
            # Deeper than the parser goes, or no UTF-8: gjson takes both.
            self.is_valid = is_valid(body)


class Path:
    """A gjson path that is ready for use. Made by compile_path; knows nothing of any document."""

    __slots__ = ("_is_plain", "_path", "text")

    def __init__(self, text: str, path: bytes) -> None:
        self.text = text
        self._path = path
        self._is_plain = parsed.is_plain(path)

    def __repr__(self) -> str:
        return f"Path({self.text!r})"

    def exists(self, document: bytes) -> bool:
        """Whether the path finds something in a JSON text; a null that is there counts."""
        return self.exists_in(Document(document))

    def exists_in(self, document: Document) -> bool:
        """Whether the path finds something in a document that was parsed before."""
        if self._is_plain and document.parsed is not None:
            try:
                return parsed.exists(document.parsed, self._path, _work_for(document))
            except parsed.NeedsTextError:
                pass
            except TooMuchWorkError:
                return False
        return self.get_in(document) is not None

    def get(self, document: bytes) -> Result | None:
        """What the path finds in a JSON text; None when it finds nothing, or it is no JSON."""
        return self.get_in(Document(document))

    def get_in(self, document: Document) -> Result | None:
        """What the path finds in a document that was parsed before."""
        if not document.is_valid:
            return None
        try:
            found = walk.get(document.body, self._path, _work_for(document))
        except TooMuchWorkError:
            found = MISSING
        return found if found.exists else None


def compile_path(text: str) -> Path:
    """A path of gjson's syntax; raises PathError for one that could never find anything."""
    try:
        path = text.encode()
    except UnicodeEncodeError as error:
        raise PathError(text, error.start, "has half of a surrogate pair") from error
    if problem := find_problem(path):
        place = len(path[: problem.place].decode("utf-8", "ignore"))
        raise PathError(text, place, problem.reason)
    return Path(text, path)


def _work_for(document: Document) -> Work:
    return Work(_FREE_STEPS + _STEPS_PER_BYTE * len(document.body))
