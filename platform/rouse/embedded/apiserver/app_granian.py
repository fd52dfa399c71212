"""The server behind Granian: TLS, HTTP/1.1 and HTTP/2, in the event loop that runs it."""

from __future__ import annotations

import asyncio
import errno
import logging
import socket
from collections.abc import AsyncIterator
from contextlib import aclosing
from typing import Any

from granian.constants import HTTPModes, Interfaces, SSLProtocols
from granian.server.embed import Server

from rouse.embedded.apiserver.decoding import MAX_BODY
from rouse.embedded.apiserver.http import Request, Response, StreamResponse, query_of
from rouse.embedded.apiserver.pki import Identity
from rouse.embedded.apiserver.server import ApiServer
from rouse.errors import PortInUseError

__all__ = ["GranianApp", "Listener", "check_port"]

_log = logging.getLogger(__name__)

MAX_REQUESTS = 16_384
"""Requests at once, watches included."""
STOP_S = 3.0


class GranianApp:
    """The RSGI application."""

    def __init__(self, server: ApiServer) -> None:
        self._server = server
        self._streams: set[asyncio.Future[None]] = set()

    def end_streams(self) -> None:
        """End every watch and followed log: an open one would hold up the stop."""
        for stream in self._streams:
            stream.cancel()

    async def __rsgi__(self, scope: Any, proto: Any) -> None:
        """Answer one request; a stream ends when either side hangs up."""
        body = b""
        if scope.method not in ("GET", "HEAD"):
            body = await _body(proto)
        request = Request(
            scope.method,
            scope.path,
            query_of(scope.query_string),
            dict(scope.headers.items()),
            body,
        )
        answer = await self._server.handle(request)
        headers = [("content-type", answer.content_type), *answer.headers]
        if isinstance(answer, Response):
            proto.response_bytes(answer.status, headers, answer.body)
        else:
            await self._stream(proto, answer, headers)

    async def _stream(
        self, proto: Any, answer: StreamResponse, headers: list[tuple[str, str]]
    ) -> None:
        transport = proto.response_stream(answer.status, headers)
        sender = asyncio.ensure_future(_send(transport, answer.chunks))
        gone = asyncio.ensure_future(_hung_up(proto))
        self._streams.add(sender)
        try:
            await asyncio.wait([sender, gone], return_when=asyncio.FIRST_COMPLETED)
        finally:
            self._streams.discard(sender)
            for task in (sender, gone):
                task.cancel()
            await asyncio.wait([sender, gone])


class Listener:
    """A bound, TLS-speaking server."""

    def __init__(self, server: ApiServer, identity: Identity, host: str, port: int) -> None:
        check_port(host, port)
        self._app = GranianApp(server)
        self._granian = Server(
            self._app,
            address=host,
            port=port,
            interface=Interfaces.RSGI,
            http=HTTPModes.auto,
            websockets=False,
            backlog=1024,
            backpressure=MAX_REQUESTS,
            runtime_blocking_threads=4,
            log_enabled=False,
            ssl_cert=identity.certificate,
            ssl_key=identity.key,
            ssl_protocol_min=SSLProtocols.tls12,
        )
        self._task: asyncio.Task[None] | None = None
        self._address = (host, port)

    async def start(self, timeout: float = 5.0) -> None:
        """Serve; returns when connections are accepted."""
        self._task = asyncio.get_running_loop().create_task(
            self._granian.serve(), name="apiserver-https"
        )
        async with asyncio.timeout(timeout):
            while not await _accepts(*self._address):
                if self._task.done():
                    await self._task
                await asyncio.sleep(0.005)

    async def wait(self) -> None:
        """Until the server ends by itself, which is an error."""
        if self._task is not None:
            await asyncio.wait([self._task])

    async def stop(self) -> None:
        """Stop accepting and end."""
        if self._task is None:
            return
        self._app.end_streams()
        self._granian.stop()  # type: ignore[no-untyped-call]
        _, pending = await asyncio.wait([self._task], timeout=STOP_S)
        for task in pending:
            task.cancel()


def check_port(host: str, port: int) -> None:
    """PortInUseError when something listens there: Granian itself would share the port."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno != errno.EADDRINUSE:
                raise
            raise PortInUseError(
                f"port {port} on {host} is in use by another process: stop it, or give the API "
                "another port with --port"
            ) from error


async def _body(proto: Any) -> bytes:
    """The whole body; one byte more than allowed when it is too large, the rest unread."""
    blocks = []
    size = 0
    async for block in proto:
        if not block:
            # Over HTTP/2 granian goes on for ever with nothing once the client is gone.
            break
        blocks.append(block)
        size += len(block)
        if size > MAX_BODY:
            break
    return b"".join(blocks)


async def _hung_up(proto: Any) -> None:
    """Granian's own future is not asyncio's: only a task around it can be waited on with others."""
    await proto.client_disconnect()


async def _send(transport: Any, chunks: AsyncIterator[bytes]) -> None:
    async with aclosing(chunks) as source:  # type: ignore[type-var]
        async for chunk in source:
            try:
                await transport.send_bytes(chunk)
            except Exception as error:
                _log.debug("a watcher hung up: %s", error)
                return


async def _accepts(host: str, port: int) -> bool:
    try:
        _, writer = await asyncio.open_connection(host, port)
    except OSError:
        return False
    writer.close()
    return True
