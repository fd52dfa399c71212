"""A small HTTP/1.1 server for probes and metrics: GET only, one answer per connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, Self, TypeAlias
from urllib.parse import parse_qsl

from rouse.errors import EngineError

__all__ = ["Answer", "Handler", "ProbeServer"]

logger = logging.getLogger(__name__)

_HEAD_BYTES: Final = 8192
_HEAD_S: Final = 5.0
_SEND_S: Final = 30.0
_CONNECTIONS: Final = 64
_OPENMETRICS: Final = "application/openmetrics-text"


@dataclass(frozen=True, slots=True)
class Answer:
    """What is sent back."""

    body: str
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "text/plain; charset=utf-8"


Handler: TypeAlias = Callable[[Mapping[str, str]], Awaitable[Answer]]
"""Answers one path, given the query's parameters."""


class ProbeServer:
    """Serves ``routes``, by path, on one port; port 0 takes a free one.

    A head must come in 5 s and 8 KiB, more than 64 connections are closed unanswered, and a body is
    never read: nobody who reaches the port can make the process wait or grow.
    ``openmetrics`` answers instead where the caller accepts that format.
    """

    def __init__(
        self,
        routes: Mapping[str, Handler],
        *,
        openmetrics: Mapping[str, Handler] | None = None,
        host: str = "",
        port: int,
    ) -> None:
        self._routes = dict(routes)
        self._openmetrics = dict(openmetrics or {})
        self._host = host
        self._port = port
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port that is listened on; with port 0 the one of IPv4, IPv6 has another."""
        if self._server is None:
            return self._port
        sockets = sorted(self._server.sockets, key=lambda one: one.family)
        return int(sockets[0].getsockname()[1])

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(
                self._accept, self._host or None, self._port, limit=_HEAD_BYTES
            )
        except OSError as error:
            message = f"port {self._port} for probes and metrics cannot be had: {error.strerror}"
            raise EngineError(f"{message}; give another one, or free it") from error
        return self

    async def __aexit__(self, *_: object) -> None:
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or len(self._open) >= _CONNECTIONS:
            writer.close()
            return
        self._open.add(task)
        try:
            await self._exchange(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            logger.debug("a connection to port %d ended early", self.port)
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        async with asyncio.timeout(_HEAD_S):
            head = await reader.readuntil(b"\r\n\r\n")
        line, _, fields = head.decode("latin-1").partition("\r\n")
        answer = await self._answer(line, accepts_openmetrics=_accepts_openmetrics(fields))
        body = answer.body.encode()
        status = answer.status
        headers = (
            f"HTTP/1.1 {status.value} {status.phrase}\r\nContent-Type: {answer.content_type}\r\n"
            f"Content-Length: {len(body)}\r\nConnection: close\r\n\r\n"
        )
        writer.write(headers.encode() + (b"" if line.startswith("HEAD ") else body))
        async with asyncio.timeout(_SEND_S):
            await writer.drain()

    async def _answer(self, line: str, *, accepts_openmetrics: bool) -> Answer:
        method, _, rest = line.partition(" ")
        target, _, version = rest.rpartition(" ")
        if not version.startswith("HTTP/1."):
            return Answer("not HTTP/1.1\n", HTTPStatus.BAD_REQUEST)
        if method not in ("GET", "HEAD"):
            return Answer("only GET and HEAD\n", HTTPStatus.METHOD_NOT_ALLOWED)
        path, _, query = target.partition("?")
        handler = self._openmetrics.get(path) if accepts_openmetrics else None
        handler = handler or self._routes.get(path)
        if handler is None:
            known = "".join(f"{one}\n" for one in sorted(self._routes))
            return Answer(f"no such path; there are:\n{known}", HTTPStatus.NOT_FOUND)
        try:
            return await handler(dict(parse_qsl(query)))
        except Exception:
            logger.exception("%s failed", path)
            return Answer("failed; the log says why\n", HTTPStatus.INTERNAL_SERVER_ERROR)


def _accepts_openmetrics(fields: str) -> bool:
    """Whether a header Accept names the format."""
    for field in fields.lower().split("\r\n"):
        name, _, value = field.partition(":")
        if name == "accept" and _OPENMETRICS in value:
            return True
    return False
