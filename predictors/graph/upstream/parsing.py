"""HTTP/1.1 answers, read from bytes by Node's parser (httptools). No I/O."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from httptools import HttpParserCallbackError, HttpParserError, HttpParserUpgrade
from httptools import HttpResponseParser as Reader

__all__ = ["Head", "MalformedError", "Parser"]

_MAX_BARE: Final = 64 * 1024
"""Bytes in a row that are none of a body: headers, lines between chunks, trailers."""

_SWITCHING: Final = 101


class MalformedError(Exception):
    """Not HTTP/1.1; says what is wrong."""


@dataclass(frozen=True, slots=True)
class Head:
    """Status and headers of an answer; names in lower case, values of one name joined by commas."""

    status: int
    headers: dict[str, str]
    keeps: bool
    """Whether the connection can be used again, as far as the answer says."""


class Parser:
    """Reads one answer; interim answers are skipped.

    ``excess`` says that more came than belongs to it.
    """

    __slots__ = ("_bare", "_body", "_headers", "_reader", "complete", "excess", "head")

    def __init__(self) -> None:
        self.head: Head | None = None
        self.complete = False
        self.excess = False
        self._reader = Reader(self)
        self._headers: dict[str, str] = {}
        self._body: list[bytes] = []
        self._bare = 0

    def feed(self, data: bytes) -> bytes:
        """What `data` has of the body. Raises `MalformedError`."""
        try:
            self._reader.feed_data(data)
        except HttpParserCallbackError as error:
            raise error.__context__ or error from None
        except (HttpParserError, HttpParserUpgrade) as error:
            # What comes behind an answer is not read, so it may be anything.
            self.excess = self.complete
            if not self.complete:
                raise MalformedError(str(error)) from None
        if not self._body:
            self._bare += len(data)
            if self._bare > _MAX_BARE and not self.complete:
                raise MalformedError("its headers or trailers are too large")
            return b""
        self._bare = 0
        body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
        self._body.clear()
        return body

    def end(self) -> bool:
        """Whether the answer is whole, now that its connection has ended."""
        head = self.head
        if head is not None and not head.headers.keys() & {"content-length", "transfer-encoding"}:
            self.complete = True
        return self.complete

    def on_message_begin(self) -> None:
        """Called by the parser, as all below: an answer begins, or one behind it."""
        self.excess = self.complete

    def on_header(self, name: bytes, value: bytes) -> None:
        """A header, or a trailer, which nobody asks for."""
        if self.head is None:
            key, text = name.decode("latin-1").lower(), value.decode("latin-1").rstrip(" \t")
            headers = self._headers
            headers[key] = f"{headers[key]}, {text}" if key in headers else text

    def on_headers_complete(self) -> None:
        """The end of the headers; those of interim answers are forgotten."""
        status = self._reader.get_status_code()
        headers, self._headers = self._headers, {}
        if self.head is not None or (100 <= status < 200 and status != _SWITCHING):
            return
        if status < 100:
            raise MalformedError(f"it has the status {status}")
        version = self._reader.get_http_version()
        if status == _SWITCHING or not version.startswith("1."):
            raise MalformedError(
                f"it changes the protocol unasked, with {status} of HTTP/{version}"
            )
        coding = headers.get("transfer-encoding", "chunked")
        if coding.lower() != "chunked":
            raise MalformedError(f"it has the transfer encoding {coding!r}")
        self.head = Head(status, headers, self._reader.should_keep_alive())

    def on_body(self, body: bytes) -> None:
        """A part of the body."""
        if not self.complete:
            self._body.append(body)

    def on_message_complete(self) -> None:
        """The end of an answer."""
        self.complete = self.head is not None
