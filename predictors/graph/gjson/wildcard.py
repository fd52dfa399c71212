"""Wildcards of gjson: `*` for any characters, `?` for one, a backslash before a plain character.

Matching takes at most len(text) * len(pattern) steps: no piece between stars is tried again once
a place was found for it.
"""

from __future__ import annotations

import codecs
from functools import lru_cache
from typing import TypeAlias

from predictors.graph.gjson.work import Work

__all__ = ["matches", "text_matches"]

_Piece: TypeAlias = str | tuple[str | None, ...]
"""Characters that follow each other; with a None for any, where one of them may be any."""


def _replace_bytes(error: UnicodeError) -> tuple[str, int]:
    # One mark for every byte that is no UTF-8, as Go reads them.
    if not isinstance(error, UnicodeDecodeError):
        raise error
    return "�", error.start + 1


codecs.register_error("gjson", _replace_bytes)


def matches(text: bytes, pattern: bytes, work: Work) -> bool:
    """Whether the whole text, as bytes of UTF-8, has the form of the pattern."""
    return text_matches(text.decode("utf-8", "gjson"), pattern, work)


def text_matches(text: str, pattern: bytes, work: Work) -> bool:
    """Whether the whole text has the form of the pattern."""
    work.spend(1 + (len(text) >> 6))
    pieces = _pieces(pattern)
    if pieces is None:
        return False
    first, last = pieces[0], pieces[-1]
    if not _fits_at(text, first, 0):
        return False
    if len(pieces) == 1:
        return len(text) == len(first)
    end = len(text) - len(last)
    at = len(first)
    if end < at or not _fits_at(text, last, end):
        return False
    # What the stars leave free: every piece goes as far to the front as it can.
    for piece in pieces[1:-1]:
        at = _find(text, piece, at, end, work)
        if at < 0:
            return False
        at += len(piece)
    return True


@lru_cache(maxsize=1024)
def _pieces(pattern: bytes) -> tuple[_Piece, ...] | None:
    """What stands between the stars; None when nothing can match."""
    pieces: list[list[str | None]] = [[]]
    characters = iter(pattern.decode("utf-8", "gjson"))
    for character in characters:
        if character == "*":
            pieces.append([])
            continue
        if character == "\\":
            escaped = next(characters, None)
            if escaped is None and len(pieces) == 1:
                return None
            # Behind a star gjson compares from the end, where a lone backslash stands for itself.
            pieces[-1].append(escaped or character)
        else:
            pieces[-1].append(None if character == "?" else character)
    return tuple(_piece(characters) for characters in pieces)


def _piece(characters: list[str | None]) -> _Piece:
    known = [character for character in characters if character is not None]
    return tuple(characters) if len(known) < len(characters) else "".join(known)


def _fits_at(text: str, piece: _Piece, at: int) -> bool:
    if isinstance(piece, str):
        return text.startswith(piece, at)
    there = text[at : at + len(piece)]
    return len(there) == len(piece) and all(
        wanted in (None, character) for wanted, character in zip(piece, there, strict=True)
    )


def _find(text: str, piece: _Piece, start: int, end: int, work: Work) -> int:
    if isinstance(piece, str):
        return text.find(piece, start, end)
    for at in range(start, end - len(piece) + 1):
        work.spend(1 + (len(piece) >> 3))
        if _fits_at(text, piece, at):
            return at
    return -1
