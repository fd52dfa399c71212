"""Whether a text is JSON by gjson's rules, which are those of Go's router for a request."""

from __future__ import annotations

import re

import orjson

__all__ = ["is_valid"]

_SPACE = rb"[ \t\r\n]*+"
_STRING = rb'"(?:[^"\\\x00-\x1f]++|\\(?:["\\/bfnrt]|u[0-9a-fA-F]{4}))*+"'
_SCALAR = _STRING + rb"|true|false|null|-?(?:0|[1-9][0-9]*+)(?:\.[0-9]++)?(?:[eE][+-]?[0-9]++)?"
_VALUE = re.compile(_SPACE + rb"(?:" + _SCALAR + rb"|([\[{]))")
_AFTER = re.compile(_SPACE + rb"([,\]}])")
_KEY = re.compile(_SPACE + _STRING + _SPACE + rb":")
_REST = re.compile(_SPACE + rb"\Z")
_CLOSING = {b"[": b"]", b"{": b"}"}


def is_valid(text: bytes) -> bool:
    """Whether a text is one JSON value. Bytes that are no UTF-8 and any depth are taken.

    Deep or oddly spelled texts take a slower way, whose time still grows with the length alone.
    """
    try:
        orjson.loads(text)
    except orjson.JSONDecodeError:
        return _is_valid(text)
    return True


def _is_valid(text: bytes) -> bool:
    waiting: list[bytes] = []
    at = 0
    while at >= 0:
        value = _VALUE.match(text, at)
        if value is None:
            return False
        at = value.end()
        opening = value.group(1)
        if opening:
            waiting.append(_CLOSING[opening])
            end = _AFTER.match(text, at)
            if end is None or end.group(1) != waiting[-1]:
                at = _before_value(text, at, waiting)
                continue
        at = _behind_value(text, at, waiting)
        if not waiting:
            return bool(_REST.match(text, at))
    return False


def _before_value(text: bytes, at: int, waiting: list[bytes]) -> int:
    """Past the key that an object has here; -1 when it has none."""
    if waiting[-1] == b"]":
        return at
    key = _KEY.match(text, at)
    return key.end() if key else -1


def _behind_value(text: bytes, at: int, waiting: list[bytes]) -> int:
    """Past the brackets that close here, to the next value; -1 when something else stands here."""
    while waiting:
        after = _AFTER.match(text, at)
        if after is None:
            return -1
        at = after.end()
        if after.group(1) == b",":
            return _before_value(text, at, waiting)
        if after.group(1) != waiting.pop():
            return -1
    return at
