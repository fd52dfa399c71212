"""What a standby answers over HTTP: two health checks, and the assignment. Nothing else is there.

The server's own HTTP stack is not used, since it cannot be ended and begun again on one socket.
"""

from __future__ import annotations

import asyncio
import socket
from collections.abc import Callable
from http import HTTPStatus
from types import TracebackType
from typing import Final, NamedTuple, Self

import orjson

__all__ = ["TAKE_PATH", "Desk"]

TAKE_PATH: Final = "/standby/v1/assignment"
"""Where the controller POSTs; the signature is in the header ``rouse-signature``."""

_SIGNATURE: Final = "rouse-signature"
_HEALTHY: Final = ("/", "/v2/health/live", "/v2/health/ready")
_HEAD_BYTES: Final = 16 * 1024
_BODY_BYTES: Final = 128 * 1024
_PATIENCE_S: Final = 5.0
_MOST: Final = 64
"""Connections at once; further ones are closed at once."""

Take = Callable[[bytes, str], tuple[int, str]]
"""Given the body and its signature, says the status and the text of the answer."""


class _Request(NamedTuple):
    method: str
    path: str
    headers: dict[str, str]


class _RefusedError(Exception):
    def __init__(self, status: int, text: str) -> None:
        super().__init__(text)
        self.status = status


class Desk:
    """Answers on a copy of a listening socket for as long as it is entered."""

    def __init__(self, sock: socket.socket, take: Take) -> None:
        self._sock = sock
        self._take = take
        self._server: asyncio.Server | None = None
        self._talks: set[asyncio.Task[None]] = set()

    async def __aenter__(self) -> Self:
        self._server = await asyncio.start_server(
            self._talk, sock=self._sock.dup(), limit=_HEAD_BYTES
        )
        return self

    async def __aexit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        if self._server is not None:
            self._server.close()
        if self._talks:
            # The answer to the assignment is among them.
            _, late = await asyncio.wait(self._talks, timeout=0.5)
            for talk in late:
                talk.cancel()

    async def _talk(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        talk = asyncio.current_task()
        if talk is None or len(self._talks) >= _MOST:
            writer.close()
            return
        self._talks.add(talk)
        try:
            async with asyncio.timeout(_PATIENCE_S):
                status, body = await self._answer(reader)
                writer.write(_encoded(status, body))
                await writer.drain()
        except (OSError, TimeoutError, asyncio.IncompleteReadError):
            pass  # the client is gone, or as good as
        finally:
            self._talks.discard(talk)
            writer.close()

    async def _answer(self, reader: asyncio.StreamReader) -> tuple[int, object]:
        try:
            request = await _head(reader)
            if request.path == TAKE_PATH:
                if request.method != "POST":
                    raise _RefusedError(405, "POST the assignment")
                body = await _body(reader, request.headers)
                status, text = self._take(body, request.headers.get(_SIGNATURE, ""))
                return status, {"message" if status < 400 else "error": text}
            if request.path in _HEALTHY and request.method in ("GET", "HEAD"):
                return 200, {"ready": True, "standby": True}
            raise _RefusedError(404, "this server stands by; it has no model yet")
        except _RefusedError as refused:
            return refused.status, {"error": str(refused)}


async def _head(reader: asyncio.StreamReader) -> _Request:
    try:
        raw = await reader.readuntil(b"\r\n\r\n")
    except asyncio.LimitOverrunError:
        raise _RefusedError(431, "the head of the request is too long") from None
    first, *lines = raw.decode("latin-1").split("\r\n")[:-2]
    method, _, rest = first.partition(" ")
    target, _, version = rest.partition(" ")
    if not version.startswith("HTTP/1."):
        raise _RefusedError(400, "HTTP/1.1 is spoken here")
    pairs = (line.partition(":") for line in lines)
    headers = {name.strip().lower(): value.strip() for name, _, value in pairs}
    return _Request(method, target.partition("?")[0], headers)


async def _body(reader: asyncio.StreamReader, headers: dict[str, str]) -> bytes:
    length = headers.get("content-length", "")
    if not (length.isascii() and length.isdecimal()):
        raise _RefusedError(411, "say the content-length")
    if len(length) > len(str(_BODY_BYTES)) or int(length) > _BODY_BYTES:
        raise _RefusedError(413, f"more than {_BODY_BYTES} bytes")
    return await reader.readexactly(int(length))


def _encoded(status: int, body: object) -> bytes:
    content = orjson.dumps(body)
    head = (
        f"HTTP/1.1 {status} {HTTPStatus(status).phrase}\r\ncontent-type: application/json\r\n"
        f"content-length: {len(content)}\r\nconnection: close\r\n\r\n"
    )
    return head.encode() + content
