"""A small HTTP/1.1 server for probes and metrics: GET only, one answer per connection."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias
from urllib.parse import parse_qsl

from rouse.daemon.connections import ConnectionServer

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


class ProbeServer(ConnectionServer):
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
        super().__init__(
            host=host,
            port=port,
            purpose="probes and metrics",
            connections=_CONNECTIONS,
            head_bytes=_HEAD_BYTES,
        )

    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer one request by its path."""
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
