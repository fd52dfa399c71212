"""HTTPS for an API server that calls: POST with a JSON body, connections kept, HTTP/1.1 by h11.

Certificates change under way: `tls.ServerCertificate` puts a new one into the same context, which
the next handshake uses and open connections do not notice.
"""

from __future__ import annotations

import asyncio
import logging
import ssl
from collections.abc import Awaitable, Callable
from contextlib import suppress
from dataclasses import dataclass
from http import HTTPStatus
from typing import Final, TypeAlias

import h11

from rouse.errors import EngineError
from rouse.webhook.reply import Reply

__all__ = ["Handler", "HttpsServer", "Limits"]

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[str, bytes], Awaitable[Reply]]
"""Answers a path, without its query, and a body."""

_CHUNK: Final = 65_536
_HEAD_BYTES: Final = 16_384
_CLOSING: Final = (OSError, ssl.SSLError, TimeoutError, h11.LocalProtocolError)


@dataclass(frozen=True, slots=True)
class Limits:
    """Bytes, seconds and numbers that nobody who reaches the port can exceed.

    ``body``: an object may have 1.5 MiB, and an update brings two. ``idle`` is longer than the 90 s
    after which Go's client gives a connection up: so it is never the server that closes under a
    request. ``stop`` is what requests under way get at the end.
    """

    body: int = 8 * 2**20
    connections: int = 512
    handshake: float = 10.0
    request: float = 10.0
    idle: float = 120.0
    stop: float = 10.0


class _RefusedError(Exception):
    """A request that gets an HTTP error, after which the connection is closed."""

    def __init__(self, status: HTTPStatus, message: str) -> None:
        super().__init__(message)
        self.reply = Reply(f"{message}\n".encode(), status, "text/plain; charset=utf-8")


class HttpsServer:
    """Serves ``handler`` on one port; port 0 takes a free one."""

    def __init__(
        self,
        handler: Handler,
        context: ssl.SSLContext,
        *,
        host: str = "",
        port: int,
        limits: Limits | None = None,
    ) -> None:
        self._handler = handler
        self._context = context
        self._host = host
        self._port = port
        self._limits = limits or Limits()
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._waiting: set[asyncio.Task[None]] = set()
        """Connections between two requests: these may be closed at any time."""
        self._stopping = False

    @property
    def port(self) -> int:
        """The port that is listened on."""
        return int(self._server.sockets[0].getsockname()[1]) if self._server else self._port

    @property
    def is_serving(self) -> bool:
        """Whether new connections are taken."""
        return self._server is not None and not self._stopping

    async def start(self) -> None:
        """Listen; raises EngineError when the port cannot be had."""
        try:
            self._server = await asyncio.start_server(
                self._accept,
                self._host or None,
                self._port,
                ssl=self._context,
                ssl_handshake_timeout=self._limits.handshake,
                limit=_CHUNK,
            )
        except OSError as error:
            message = f"port {self._port} for the webhooks cannot be had: {error.strerror}"
            raise EngineError(f"{message}; give another one, or free it") from error

    async def stop(self) -> None:
        """Take no more requests, answer those under way, and close."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for task in self._waiting:
            task.cancel()
        if self._open:
            await asyncio.wait(self._open, timeout=self._limits.stop)
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._stopping or len(self._open) >= self._limits.connections:
            writer.close()
            return
        self._open.add(task)
        try:
            await _Connection(self, task, reader, writer).run()
        except _CLOSING:
            logger.debug("a connection ended early")
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(*_CLOSING):
                await writer.wait_closed()

    async def answer(self, request: h11.Request, body: bytes) -> Reply:
        """Answer one whole request."""
        if request.method != b"POST":
            return _RefusedError(HTTPStatus.METHOD_NOT_ALLOWED, "only POST").reply
        path = request.target.partition(b"?")[0].decode("latin-1")
        return await self._handler(path, body)

    @property
    def limits(self) -> Limits:
        """The limits it keeps."""
        return self._limits

    @property
    def is_stopping(self) -> bool:
        """Whether connections are to end with the answer under way."""
        return self._stopping

    def between_requests(self, task: asyncio.Task[None], *, waits: bool) -> None:
        """Note that a connection waits for a request, or no longer does."""
        (self._waiting.add if waits else self._waiting.discard)(task)


class _Connection:
    """One connection: requests one after the other."""

    def __init__(
        self,
        server: HttpsServer,
        task: asyncio.Task[None],
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
    ) -> None:
        self._server = server
        self._task = task
        self._reader = reader
        self._writer = writer
        self._http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)

    async def run(self) -> None:
        """Serve until one of the sides closes."""
        limits = self._server.limits
        while await self._begun(limits.idle):
            try:
                async with asyncio.timeout(limits.request):
                    request, body = await self._request()
            except _RefusedError as error:
                await self._send(error.reply, close=True)
                return
            except h11.RemoteProtocolError as error:
                status = HTTPStatus(error.error_status_hint)
                refused = _RefusedError(status, f"not HTTP/1.1: {error}")
                await self._send(refused.reply, close=True)
                return
            reply = await self._server.answer(request, body)
            await self._send(reply, close=self._server.is_stopping)
            if self._http.our_state is not h11.DONE or self._http.their_state is not h11.DONE:
                return
            self._http.start_next_cycle()

    async def _begun(self, idle: float) -> bool:
        """Wait for the first bytes of a request."""
        if self._http.trailing_data[0]:
            return True
        if self._server.is_stopping:
            return False
        self._server.between_requests(self._task, waits=True)
        try:
            async with asyncio.timeout(idle):
                data = await self._reader.read(_CHUNK)
        finally:
            self._server.between_requests(self._task, waits=False)
        self._http.receive_data(data)
        return bool(data)

    async def _request(self) -> tuple[h11.Request, bytes]:
        request: h11.Request | None = None
        body = bytearray()
        while True:
            event = self._http.next_event()
            if event is h11.NEED_DATA:
                if self._http.they_are_waiting_for_100_continue:
                    await self._write(h11.InformationalResponse(status_code=100, headers=[]))
                self._http.receive_data(await self._reader.read(_CHUNK))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.Data):
                body += event.data
                if len(body) > self._server.limits.body:
                    message = f"more than {self._server.limits.body} bytes"
                    raise _RefusedError(HTTPStatus.REQUEST_ENTITY_TOO_LARGE, message)
            elif isinstance(event, h11.EndOfMessage) and request is not None:
                return request, bytes(body)
            else:
                raise ConnectionResetError("closed before a whole request")

    async def _send(self, reply: Reply, *, close: bool) -> None:
        headers = [
            ("Content-Type", reply.content_type),
            ("Content-Length", str(len(reply.body))),
            *([("Connection", "close")] if close else []),
        ]
        async with asyncio.timeout(self._server.limits.request):
            head = h11.Response(
                status_code=reply.status, headers=headers, reason=reply.status.phrase
            )
            await self._write(head, h11.Data(data=reply.body), h11.EndOfMessage())

    async def _write(self, *events: h11.Event) -> None:
        sent = [self._http.send(event) or b"" for event in events]
        self._writer.write(b"".join(sent))
        await self._writer.drain()
