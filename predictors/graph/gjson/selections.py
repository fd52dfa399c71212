"""Making the object of a multipath `{name:path,path}`."""

from __future__ import annotations

import re

from predictors.graph.gjson.validity import is_valid
from predictors.graph.gjson.values import Result

__all__ = ["named", "quoted"]

_NOT_A_NAME = re.compile(rb"[\x00-\x1f\[\]{}()#|!]")
_ESCAPES = {
    **{code: f"\\u{code:04x}" for code in (*range(0x20), *b"<>&", 0x2028, 0x2029)},
    **{ord(char): "\\" + short for char, short in zip('\b\f\n\r\t"\\', 'bfnrt"\\', strict=True)},
    # Bytes that are no UTF-8, as Python decodes them.
    **dict.fromkeys(range(0xDC80, 0xDD00), "\\ufffd"),
}


def named(found: list[tuple[bytes, bytes, Result]]) -> bytes:
    """An object of the results that exist: (name or nothing, path, result) each."""
    pairs = [_name(name, path) + b":" + result.raw for name, path, result in found if result.exists]
    return b"{%b}" % b",".join(pairs)


def _name(name: bytes, path: bytes) -> bytes:
    if name:
        return name if name[:1] == b'"' and is_valid(name) else quoted(name)
    last = _last(path)
    return quoted(b"_" if _NOT_A_NAME.search(last) else last)


def _last(path: bytes) -> bytes:
    """The last component, as far as gjson looks: brackets are not minded."""
    for at in range(len(path) - 1, -1, -1):
        if path[at] in b".|" and not (at and path[at - 1] == 0x5C):
            return path[at + 1 :]
    return path


def quoted(text: bytes) -> bytes:
    """Text as a JSON string, with the characters special to HTML escaped as Go does."""
    escaped = text.decode("utf-8", "surrogateescape").translate(_ESCAPES)
    return b'"%b"' % escaped.encode()
