"""Taking paths apart: what the next component says, and what is left after it.

Pieces are parsed when they are met and remembered, for a path is evaluated over and over. Nothing
here refuses a path: gjson gives a meaning to every text, and these functions give the same.
"""

from __future__ import annotations

import re
from functools import lru_cache
from typing import NamedTuple

from predictors.graph.gjson.scan import squash, unescape
from predictors.graph.gjson.work import Work

__all__ = [
    "MODIFIERS",
    "ArrayPart",
    "KeyPart",
    "Modifier",
    "Query",
    "Selection",
    "array_part",
    "key_part",
    "literal",
    "modifier",
    "query_end",
    "selection",
    "split_pipe",
    "usable_selection",
    "without_selection",
]

MODIFIERS = frozenset(
    b"dig flatten fromstr group join keys pretty reverse this tostr ugly valid values".split()
)
_remember = lru_cache(maxsize=4096)
_BLANK = bytes(range(0x21))
_QUOTED = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"?', re.DOTALL)


class KeyPart(NamedTuple):
    """The next component where an object is met."""

    key: bytes
    wild: bool
    """Whether `key` has wildcards."""
    rest: bytes | None
    """The path that goes on within the value found; None when this is the last component."""
    pipe: bytes | None
    """The path that is applied to the value found, whatever it is."""


class Query(NamedTuple):
    """What stands in the brackets of `#(path operator value)`."""

    path: bytes
    operator: bytes
    """Empty when only existence is asked for."""
    value: bytes
    every: bool
    """Whether all elements that fit are wanted and not the first."""


class ArrayPart(NamedTuple):
    """The next component where an array is met."""

    text: bytes
    element: int | None
    """The element wanted; None when the component is no number, or has a #."""
    counts: bool
    """Whether this is a # alone: the length, or with `each` the elements' values."""
    each: bytes | None
    """The path that # applies to every element."""
    query: Query | None
    rest: bytes | None
    pipe: bytes | None


class Modifier(NamedTuple):
    """A modifier with its argument, empty when it has none."""

    name: bytes
    argument: bytes
    rest: bytes


class Selection(NamedTuple):
    """The names, empty when not given, and paths of a multipath; what stands behind it."""

    parts: tuple[tuple[bytes, bytes], ...]
    rest: bytes


@_remember
def key_part(path: bytes) -> KeyPart:
    """The first component of a path, read as the key of an object."""
    key = bytearray()
    wild = False
    at = 0
    while at < len(path):
        char = path[at]
        if char == 0x5C:
            at += 1
            key += path[at : at + 1]
        elif char in b".|":
            return KeyPart(bytes(key), wild, *_onward(path, at))
        else:
            wild = wild or char in b"*?"
            key.append(char)
        at += 1
    # A last backslash stands for nothing.
    return KeyPart(bytes(key), wild, None, None)


def _onward(path: bytes, at: int, *, dotted_pipe: bool = True) -> tuple[bytes | None, bytes | None]:
    after = path[at + 1 :]
    if path[at] == 0x7C or (dotted_pipe and after and _acts_on_whole(after)):
        return None, after
    return after, None


def _acts_on_whole(path: bytes) -> bool:
    """Whether the dot before this path means a pipe: a modifier or a multipath follows."""
    if path[:1] == b"@":
        name = re.split(rb"[.|:]", path[1:], maxsplit=1)[0]
        return name in MODIFIERS
    return path[:1] in (b"[", b"{")


@_remember
def array_part(path: bytes) -> ArrayPart:
    """The first component of a path, read as an index or a # of an array."""
    each = path[2:] if path[:2] == b"#." else None
    query = None
    hashed = False
    at = 0
    while at < len(path) and path[at] not in b".|":
        if path[at] == 0x23:
            hashed = True
            if at == 0 and path[1:2] in (b"(", b"["):
                query, end = _query(path)
                at = end - 1 if end else len(path)
        at += 1
    text = path[:at]
    rest = pipe = None
    if at < len(path):
        rest, pipe = _onward(path, at, dotted_pipe=not hashed)
    index = _index(text) if not hashed else None
    return ArrayPart(text, index, text == b"#", each, query, rest, pipe)


def _index(text: bytes) -> int | None:
    # Go counts in 64 bits without a look at overflow.
    if not text.isdigit():
        return None
    index = int(text) & 0xFFFF_FFFF_FFFF_FFFF
    return index if index < 1 << 63 else None


def _query(path: bytes) -> tuple[Query, int]:
    """A query and where it ends: 0 when its bracket is never closed."""
    end, operator_at, escaped = _query_bounds(path)
    if not end:
        return Query(b"", b"", b"", every=False), 0
    every = path[end : end + 1] == b"#"
    if not operator_at:
        return Query(path[2 : end - 1].strip(_BLANK), b"", b"", every), end
    operator, value = _operator(path[operator_at : end - 1].strip(_BLANK))
    if len(value) >= 2 and value[:1] == value[-1:] == b'"':
        value = unescape(value[1:-1]) if escaped else value[1:-1]
    return Query(path[2:operator_at].strip(_BLANK), operator, value, every), end


def query_end(path: bytes) -> int:
    """Where the query that a path begins with ends; 0 when its bracket is never closed."""
    return _query_bounds(path)[0]


def _query_bounds(path: bytes) -> tuple[int, int, bool]:
    """Where the query ends and its operator is, each 0 for nowhere; whether a quote has escapes."""
    depth = 1
    operator_at = 0
    escaped = False
    at = 2
    while at < len(path):
        char = path[at]
        if depth == 1 and not operator_at and char in b"!=<>%":
            operator_at = at
        elif char == 0x5C:
            at += 1
        elif char in b"[(":
            depth += 1
        elif char in b"])":
            depth -= 1
            if not depth:
                return at + 1, operator_at, escaped
        elif char == 0x22:
            quoted = _QUOTED.match(path, at)
            end = quoted.end() if quoted else len(path)
            escaped = escaped or b"\\" in path[at:end]
            at = end - 1
        at += 1
    return 0, 0, False


def _operator(text: bytes) -> tuple[bytes, bytes]:
    if len(text) > 1 and text[:2] == b"==":
        text = text[1:]
    size = 2 if text[:2] in (b"!=", b"!%", b"<=", b">=") else 1
    if text[:1] == b"!" and size == 1 and len(text) > 1:
        size = 0
    return text[:size], text[size:].strip(_BLANK)


@_remember
def split_pipe(path: bytes) -> tuple[bytes, bytes] | None:
    """The two sides of the first pipe that is not inside a query; None when there is none."""
    if b"|" not in path:
        return None
    if path[:1] == b"{":
        size = len(squash(path[1:], Work(len(path) + 2))) + 1
        return (path[:size], path[size + 1 :]) if path[size : size + 1] == b"|" else None
    at = 0
    while at < len(path):
        char = path[at]
        if char == 0x5C:
            at += 1
        elif char == 0x7C:
            return path[:at], path[at + 1 :]
        elif char == 0x2E:
            if at == len(path) - 1:
                return None
            if path[at + 1] == 0x23:
                at += 2
                if path[at : at + 1] in (b"(", b"["):
                    at = _past_query(path, at)
        at += 1
    return None


def _past_query(path: bytes, start: int) -> int:
    """Where the bracket at `start` closes; only brackets of its own form count."""
    opening = path[start]
    closing = 0x5D if opening == 0x5B else 0x29
    depth = 1
    at = start + 1
    while at < len(path):
        char = path[at]
        if char == 0x5C:
            at += 1
        elif char == opening:
            depth += 1
        elif char == closing:
            depth -= 1
            if not depth:
                return at
        elif char == 0x22:
            quoted = _QUOTED.match(path, at)
            at = (quoted.end() if quoted else len(path)) - 1
        at += 1
    return at


@_remember
def selection(path: bytes) -> Selection | None:
    """The multipath that a path begins with; None when its bracket is never closed."""
    parts: list[tuple[bytes, bytes]] = []
    depth = start = 1
    colon = 0
    in_modifier = False
    at = 1
    while at < len(path):
        char = path[at]
        if char == 0x5C:
            at += 1
        elif char == 0x40:
            in_modifier = in_modifier or path[at - 1] in b".|"
        elif char == 0x3A:
            if not in_modifier and not colon and depth == 1:
                colon = at
        elif char == 0x22:
            quoted = _QUOTED.match(path, at)
            at = (quoted.end() if quoted else len(path)) - 1
        elif char in b"[({":
            depth += 1
        elif char in b"])}":
            depth -= 1
        if not depth or (char == 0x2C and depth == 1):
            parts.append(_selected(path, start, colon, at))
            if not depth:
                return Selection(tuple(parts), path[at + 1 :])
            colon, in_modifier, start = 0, False, at + 1
        at += 1
    return None


def usable_selection(path: bytes) -> Selection | None:
    """The multipath that a path begins with, when a separator or nothing follows it."""
    if len(path) < 2 or path[:1] not in (b"[", b"{"):
        return None
    chosen = selection(path)
    return chosen if chosen and chosen.rest[:1] in (b"", b".", b"|") else None


def without_selection(path: bytes) -> bytes:
    """gjson drops a multipath that it cannot use and goes on with what stands behind it."""
    if len(path) < 2 or path[:1] not in (b"[", b"{"):
        return path
    chosen = selection(path)
    return chosen.rest if chosen else b""


def _selected(path: bytes, start: int, colon: int, end: int) -> tuple[bytes, bytes]:
    return (path[start:colon], path[colon + 1 : end]) if colon else (b"", path[start:end])


@_remember
def modifier(path: bytes) -> Modifier | None:
    """The modifier that a path begins with; None when gjson has none of the name."""
    found = re.search(rb"[.|:]", path)
    end = found.start() if found else len(path)
    name = path[1:end]
    if name not in MODIFIERS:
        return None
    if path[end : end + 1] != b":":
        return Modifier(name, b"", path[end:])
    after = path[end + 1 :]
    size = len(_argument(after)) if after else 0
    return Modifier(name, after[:size], after[size:])


def _argument(text: bytes) -> bytes:
    work = Work(2 * len(text) + 2)
    if text[:1] in (b"{", b"[", b'"'):
        return squash(text, work)
    at = 0
    while at < len(text) and text[at] != 0x7C:
        if text[at] in b'{["(':
            at += len(squash(text[at:], Work(2 * len(text) + 2))) - 1
        at += 1
    return text[:at]


@_remember
def literal(path: bytes) -> tuple[bytes, bytes] | None:
    """The text and the rest of a literal that a path begins with; None when it is none."""
    name = path[1:]
    if name and name[0] in b'{["+-0123456789':
        size = len(squash(b"(" + name[1:], Work(2 * len(name) + 2)))
        return name[:size], name[size:]
    name = re.split(rb"[.|]", name, maxsplit=1)[0]
    if name.lower() in (b"true", b"false", b"null", b"nan", b"inf"):
        return name, path[1 + len(name) :]
    return None
