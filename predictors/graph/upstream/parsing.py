"""HTTP/1.1 answers, read from bytes. No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from enum import Enum, auto
from typing import Final

__all__ = ["Head", "MalformedError", "Parser"]

_MAX_HEAD: Final = 64 * 1024
_MAX_LINE: Final = 4096
_MAX_DIGITS: Final = 15
_WHOLE: Final = -1
"""Bytes left of a body that ends with its connection."""
_BODILESS: Final = (204, 304)


class MalformedError(Exception):
    """Not HTTP/1.1; says what is wrong."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an answer; names in lower case, values of one name joined by commas."""

    status: int
    headers: dict[str, str]
    keeps: bool
    """Whether the connection can be used again, as far as the answer says."""


class _Line(Enum):
    """What the next line of a chunked body is."""

    SIZE = auto()
    END = auto()
    TRAILER = auto()


class Parser:
    """Reads one answer; interim answers are skipped.

    ``excess`` says that more came than belongs to it.
    """

    __slots__ = ("_chunked", "_left", "_next", "_rest", "complete", "excess", "head")

    def __init__(self) -> None:
        self.head: Head | None = None
        self.complete = False
        self.excess = False
        self._rest = b""
        self._chunked = False
        self._next = _Line.SIZE
        self._left = 0

    def feed(self, data: bytes) -> bytes:
        """What `data` has of the body. Raises `MalformedError`."""
        if self._rest:
            data = self._rest + data
            self._rest = b""
        while self.head is None:
            end = data.find(b"\r\n\r\n")
            if end > _MAX_HEAD or (end < 0 and len(data) > _MAX_HEAD):
                raise MalformedError("its headers are too large")
            if end < 0:
                self._rest = data
                return b""
            head = _head(data[:end])
            data = data[end + 4 :]
            if head.status >= 200:
                self._begin(head)
            elif head.status == 101:
                raise MalformedError("it changes the protocol unasked")
        if self._chunked:
            return self._unchunked(data)
        if self._left == _WHOLE:
            return data
        body = data[: self._left]
        self._left -= len(body)
        self.complete = not self._left
        self.excess = len(data) > len(body)
        return body

    def end(self) -> bool:
        """Whether the answer is whole, now that its connection has ended."""
        if self.head is not None and self._left == _WHOLE and not self._chunked:
            self.complete = True
        return self.complete

    def _begin(self, head: Head) -> None:
        headers = head.headers
        coding = headers.get("transfer-encoding")
        length = headers.get("content-length")
        self.head = head
        if head.status in _BODILESS:
            self._left = 0
        elif coding is not None:
            if coding.strip().lower() != "chunked":
                raise MalformedError(f"it has the transfer encoding {coding!r}")
            self._chunked = True
        elif length is None:
            self._left = _WHOLE
        elif length.isascii() and length.isdigit() and len(length) < 19:
            self._left = int(length)
        else:
            raise MalformedError(f"it has the content length {length[:40]!r}")

    def _unchunked(self, data: bytes) -> bytes:
        parts: list[bytes] = []
        at = 0
        while not self.complete:
            if self._left:
                part = data[at : at + self._left]
                at += len(part)
                self._left -= len(part)
                parts.append(part)
                if self._left:
                    break
                continue
            end = data.find(b"\r\n", at)
            if end < 0:
                if len(data) - at > _MAX_LINE:
                    raise MalformedError("a line between its chunks is too long")
                self._rest = data[at:]
                break
            self._line(data[at:end])
            at = end + 2
        self.excess = self.complete and at < len(data)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _line(self, line: bytes) -> None:
        """A line between chunks, or behind them."""
        if self._next is _Line.TRAILER:
            self.complete = not line
        elif self._next is _Line.END:
            if line:
                raise MalformedError("a chunk does not end where it should")
            self._next = _Line.SIZE
        else:
            self._left = _size(line)
            self._next = _Line.END if self._left else _Line.TRAILER


def _size(line: bytes) -> int:
    digits = line.partition(b";")[0].strip()
    try:
        if not digits.isalnum() or len(digits) > _MAX_DIGITS:
            raise ValueError
        return int(digits, 16)
    except ValueError:
        raise MalformedError(f"a chunk has the size {line[:40]!r}") from None


def _head(data: bytes) -> Head:
    first, *lines = data.decode("latin-1").split("\r\n")
    status = first[9:12]
    if not first.startswith("HTTP/1.") or not (status.isascii() and status.isdigit()):
        raise MalformedError(f"its first line is {first[:40]!r}")
    headers: dict[str, str] = {}
    for line in lines:
        name, colon, value = line.partition(":")
        if not colon or not name or name[-1] in " \t" or name[0] in " \t":
            raise MalformedError(f"it has the header line {line[:40]!r}")
        name, value = name.lower(), value.strip(" \t")
        headers[name] = f"{headers[name]}, {value}" if name in headers else value
    said = headers.get("connection", "").lower()
    keeps = "close" not in said and (first[7] != "0" or "keep-alive" in said)
    return Head(int(status), headers, keeps)
