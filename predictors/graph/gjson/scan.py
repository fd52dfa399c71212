"""Reading the values of JSON text one after another, as leniently as gjson does.

Texts need not be valid: a string that is taken for a document, or a literal of a path, may hold
anything. Every position is an offset in bytes. All patterns are possessive: they never go back.
"""

from __future__ import annotations

import re
from collections.abc import Iterator

import orjson

from predictors.graph.gjson.values import MISSING, Kind, Result, parse_float
from predictors.graph.gjson.work import Work

__all__ = [
    "STRING",
    "VALUE",
    "members",
    "parse_text",
    "read_string",
    "read_value",
    "skip_nested",
    "skip_value",
    "squash",
    "string_result",
    "unescape",
]

STRING = re.compile(rb'"[^"\\]*+(?:\\.[^"\\]*+)*+"', re.DOTALL)
_TO_BRACKET = re.compile(
    rb'(?:[^"\[\](){}]++|"[^"\\]*+(?:\\.[^"\\]*+)*+")*+([\[\](){}"]?)', re.DOTALL
)
_NUMBER = re.compile(rb"[^\x00-\x20,\]}]*+")
_LITERAL = re.compile(rb"[a-z]*+")
VALUE = re.compile(rb'["{\[ntf+\-0-9iIN]')
_SEPARATORS = re.compile(rb"[\x00-\x20,:]*+")
_OPENING = (b"{", b"[", b"(")
_ESCAPES = {
    0x22: b'"',
    0x2F: b"/",
    0x5C: b"\\",
    0x62: b"\b",
    0x66: b"\f",
    0x6E: b"\n",
    0x72: b"\r",
    0x74: b"\t",
}
_PLAIN = re.compile(rb"[^\\\x00-\x1f]*+")
_HEX = re.compile(rb"[0-9a-fA-F]{4}")
_LITERAL_KINDS = {0x6E: Kind.NULL, 0x74: Kind.TRUE, 0x66: Kind.FALSE}


def skip_nested(text: bytes, start: int, work: Work) -> int:
    """Where the bracket at `start` is closed; past the end by one when a string does not end.

    Any closing bracket closes any opening one, as in gjson.
    """
    depth = 1
    at = start + 1
    steps = 1
    to_bracket = _TO_BRACKET.match
    while True:
        found = to_bracket(text, at)
        bracket = found.group(1) if found else b""
        at = found.end() if found else len(text)
        steps += 1
        if bracket in _OPENING:
            depth += 1
        elif not bracket or bracket == b'"':
            at = len(text) + len(bracket)
            break
        else:
            depth -= 1
            if not depth:
                break
    work.spend(steps + ((at - start) >> 6))
    return at


def squash(text: bytes, work: Work) -> bytes:
    """The value that `text` begins with, be it a string or in brackets; else all of it."""
    if text[:1] == b'"':
        found = STRING.match(text)
        return found.group() if found else text
    return text[: skip_nested(text, 0, work)]


def read_string(text: bytes, start: int) -> tuple[int, Result] | None:
    """The string whose quote is at `start` and where it ends; None when it does not end."""
    found = STRING.match(text, start)
    return (found.end(), string_result(found.group())) if found else None


def string_result(raw: bytes) -> Result:
    """A string with its quotes."""
    inner = raw[1:-1]
    return Result(Kind.STRING, raw, unescape(inner) if b"\\" in inner else inner)


def read_value(text: bytes, start: int, work: Work) -> tuple[int, Result] | None:
    """The next value at or after `start` and where it ends; None when there is none.

    Whatever begins no value is passed over.
    """
    work.spend(1)
    found = VALUE.search(text, start)
    if found is None:
        return None
    at = found.start()
    first = text[at]
    if first == 0x22:
        return read_string(text, at)
    if first in b"{[":
        end = skip_nested(text, at, work)
        return end, Result(Kind.JSON, text[at:end])
    return read_scalar(text, at)


def skip_value(text: bytes, at: int, work: Work) -> int | None:
    """Where the value that begins at `at` ends; None when it is a string that does not."""
    first = text[at]
    if first == 0x22:
        found = STRING.match(text, at)
        return found.end() if found else None
    if first in b"{[":
        return skip_nested(text, at, work)
    return _scalar_end(text, at, _scalar_kind(text, at))


def _scalar_kind(text: bytes, at: int) -> Kind:
    kind = _LITERAL_KINDS.get(text[at], Kind.NUMBER)
    if kind is Kind.NULL and text[at + 1 : at + 2] not in (b"u", b""):
        return Kind.NUMBER  # nan
    return kind


def _scalar_end(text: bytes, at: int, kind: Kind) -> int:
    found = (_NUMBER if kind is Kind.NUMBER else _LITERAL).match(text, at + 1)
    return found.end() if found else len(text)


def read_scalar(text: bytes, at: int) -> tuple[int, Result]:
    """The number, true, false or null at `at` and where it ends."""
    kind = _scalar_kind(text, at)
    end = _scalar_end(text, at, kind)
    raw = text[at:end]
    return end, Result(kind, raw, b"", parse_float(raw) if kind is Kind.NUMBER else 0.0)


def parse_text(text: bytes, work: Work) -> Result:
    """The value that a whole text stands for; MISSING when it begins with none."""
    start = len(text) - len(text.lstrip(_BLANK))
    first = text[start : start + 1]
    if first in (b"{", b"["):
        return Result(Kind.JSON, text[start:])
    if first == b'"':
        read = read_string(text, start)
        return read[1] if read else _open_string(text[start:])
    if first and first in b"+-0123456789iINntf":
        work.spend(1)
        return read_scalar(text, start)[1]
    return MISSING


_BLANK = bytes(range(0x21))


def _open_string(raw: bytes) -> Result:
    inner = raw[1:]
    return Result(Kind.STRING, raw, unescape(inner) if b"\\" in inner else inner)


def members(value: Result, work: Work) -> Iterator[tuple[Result, Result]]:
    """The keys (MISSING in an array) and values of a container; any other value is its only one."""
    if not value.exists:
        return
    if value.kind is not Kind.JSON:
        yield MISSING, value
        return
    text = value.raw
    is_object = text[:1] == b"{"
    at = 1
    key = MISSING
    while at < len(text):
        if is_object:
            at = text.find(b'"', at)
            read = read_string(text, at) if at >= 0 else None
            if read is None:
                return
            at, key = read
        blank = _SEPARATORS.match(text, at)
        read = read_value(text, blank.end() if blank else at, work)
        if read is None:
            return
        at, member = read
        yield key, member
        # gjson steps over the byte after a value, be it a comma or not.
        at += 1


def unescape(inner: bytes) -> bytes:
    """The characters of a string; what follows a broken escape or a control character is lost."""
    try:
        characters: str = orjson.loads(b'"%b"' % inner)
    except orjson.JSONDecodeError:
        return _unescape(inner)
    return characters.encode()


def _unescape(inner: bytes) -> bytes:
    out: list[bytes] = []
    at = 0
    while True:
        plain = _PLAIN.match(inner, at)
        end = plain.end() if plain else len(inner)
        out.append(inner[at:end])
        if inner[end : end + 1] != b"\\" or end + 1 >= len(inner):
            return b"".join(out)
        code = inner[end + 1]
        if code == 0x75:
            if end + 6 > len(inner):
                return b"".join(out)
            character, at = _unicode(inner, end + 2)
            out.append(character)
        elif code in _ESCAPES:
            out.append(_ESCAPES[code])
            at = end + 2
        else:
            return b"".join(out)


def _unicode(inner: bytes, at: int) -> tuple[bytes, int]:
    code = _hex(inner, at)
    at += 4
    if 0xD800 <= code <= 0xDFFF and inner[at : at + 2] == b"\\u" and len(inner) >= at + 6:
        low = _hex(inner, at + 2)
        at += 6
        if code < 0xDC00 <= low <= 0xDFFF:
            code = 0x10000 + ((code - 0xD800) << 10) + (low - 0xDC00)
    if 0xD800 <= code <= 0xDFFF:
        code = 0xFFFD
    return chr(code).encode(), at


def _hex(inner: bytes, at: int) -> int:
    digits = inner[at : at + 4]
    return int(digits, 16) if _HEX.fullmatch(digits) else 0
