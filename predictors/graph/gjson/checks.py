"""Paths that can only be mistakes: what is wrong with them, and where."""

from __future__ import annotations

import re
from typing import NamedTuple

from predictors.graph.gjson.parts import literal, modifier, query_end, selection

__all__ = ["Problem", "find_problem"]

_LONGEST = 4096
_MOST_PARTS = 128
_DEEPEST = 24
_MOST_DIGS = 8
_NAME = re.compile(rb"(?:[^\\.|]|\\.)*+", re.DOTALL)


class Problem(NamedTuple):
    """What is wrong with a path."""

    place: int
    """The offset, in bytes of UTF-8, where the trouble begins."""
    reason: str


def find_problem(path: bytes) -> Problem | None:
    """What keeps a path from ever finding anything, or makes it too big; None when all is well.

    gjson itself refuses no path. Refused here are an empty path and an empty component, a bracket
    of a query or multipath that is never closed, something between the end of a multipath, literal
    or argument and the next separator, a lone backslash at the end, and sizes past the bounds.
    """
    if not path.strip():
        return Problem(0, "is empty")
    return _size_problem(path) or _component_problem(path)


def _size_problem(path: bytes) -> Problem | None:
    if len(path) > _LONGEST:
        return Problem(_LONGEST, f"is longer than {_LONGEST} bytes")
    if path.count(b".") + path.count(b"|") > _MOST_PARTS:
        return Problem(0, f"has more than {_MOST_PARTS} separators")
    if path.count(b"@dig") > _MOST_DIGS:
        return Problem(path.rfind(b"@dig"), f"digs more than {_MOST_DIGS} times")
    depth = 0
    for at, char in enumerate(path):
        depth += (char in b"([{") - (char in b")]}" and depth > 0)
        if depth > _DEEPEST:
            return Problem(at, f"has more than {_DEEPEST} brackets within each other")
    return None


def _component_problem(path: bytes) -> Problem | None:
    at = 0
    while at < len(path):
        # Two dots in front, or behind a pipe, mean JSON lines.
        if path[at : at + 2] == b".." and path[:at][-1:] in (b"", b"|") and path[at + 2 :]:
            at += 2
        if path[at] in b".|":
            return Problem(at, "has a separator without a name before it")
        rest = path[at:]
        end, problem = _component_end(rest)
        if problem:
            return Problem(at + problem.place, problem.reason)
        at += end
        if at == len(path):
            return None
        at += 1
    return Problem(len(path) - 1, "ends with a separator; a name is missing behind it")


def _component_end(path: bytes) -> tuple[int, Problem | None]:
    """Where the separator behind the first component is; the length when there is none."""
    first = path[:1]
    if first in (b"[", b"{"):
        chosen = selection(path)
        if chosen is None:
            return 0, Problem(0, f'has a "{first.decode()}" that is never closed')
        return _before_separator(path, chosen.rest, "a multipath")
    if first == b"!" and (constant := literal(path)):
        return _before_separator(path, constant[1], "a literal")
    if first == b"@" and (named := modifier(path)):
        return _before_separator(path, named.rest, "an argument")
    start = 0
    if path[:2] in (b"#(", b"#["):
        start = query_end(path)
        if not start:
            return 0, Problem(1, f'has a "{path[1:2].decode()}" that is never closed')
    found = _NAME.match(path, start)
    end = found.end() if found else len(path)
    if path[end:] == b"\\":
        return 0, Problem(end, "ends with a lone backslash; escape one character or remove it")
    return end, None


def _before_separator(path: bytes, rest: bytes, what: str) -> tuple[int, Problem | None]:
    end = len(path) - len(rest)
    if rest[:1] in (b"", b".", b"|"):
        return end, None
    return 0, Problem(end, f"has something behind {what} that is no separator")
