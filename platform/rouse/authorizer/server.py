"""HTTP/1.1 for a gateway that asks: connections are kept, bodies ignored."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Final, TypeAlias

import h11

from rouse.authorizer.decision import Verdict
from rouse.errors import EngineError

__all__ = ["Answers", "AuthorizationServer"]

logger = logging.getLogger(__name__)

Answers: TypeAlias = Callable[[str, str, Mapping[str, str]], Verdict]
"""Judges a host, a path and headers."""

_CHUNK: Final = 65_536
_HEAD_BYTES: Final = 131_072
"""More than a gateway lets through."""
_IDLE_S: Final = 3900.0
"""Longer than a gateway keeps a silent connection: it is never this side that closes first."""
_CONNECTIONS: Final = 4096
_ENDED: Final = (OSError, TimeoutError, h11.ProtocolError)


class AuthorizationServer:
    """Serves on a unix socket, or on a port; port 0 takes a free one."""

    def __init__(self, answers: Answers, where: Path | int) -> None:
        self._answers = answers
        self._where = where
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()
        self._stopping = False

    @property
    def port(self) -> int:
        """The port that is listened on; 0 for a unix socket."""
        if self._server is None or isinstance(self._where, Path):
            return 0
        # With port 0 the one of IPv4; IPv6 has another.
        sockets = sorted(self._server.sockets, key=lambda one: one.family)
        return int(sockets[0].getsockname()[1])

    async def start(self) -> None:
        """Listen; raises EngineError when the place cannot be had."""
        try:
            if isinstance(self._where, Path):
                self._where.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
                self._where.unlink(missing_ok=True)
                self._server = await asyncio.start_unix_server(self._accept, self._where)
            else:
                self._server = await asyncio.start_server(self._accept, None, self._where)
        except OSError as error:
            message = f"{self._where} for the authorizer cannot be had: {error.strerror}"
            raise EngineError(f"{message}; give another place, or free it") from error

    async def stop(self) -> None:
        """Close every connection; an answer takes no time, so none is under way."""
        self._stopping = True
        if self._server is not None:
            self._server.close()
        for task in self._open:
            task.cancel()
        await asyncio.gather(*self._open, return_exceptions=True)
        if isinstance(self._where, Path):
            self._where.unlink(missing_ok=True)

    async def _accept(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.current_task()
        if task is None or self._stopping or len(self._open) >= _CONNECTIONS:
            writer.close()
            return
        self._open.add(task)
        try:
            await self._serve(reader, writer)
        except _ENDED:
            logger.debug("a connection of the gateway ended early")
        except asyncio.CancelledError:
            if not self._stopping:
                raise
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()

    async def _serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        http = h11.Connection(h11.SERVER, max_incomplete_event_size=_HEAD_BYTES)
        while True:
            event = http.next_event()
            if event is h11.NEED_DATA:
                async with asyncio.timeout(_IDLE_S):
                    http.receive_data(await reader.read(_CHUNK))
            elif isinstance(event, h11.Request):
                request = event
            elif isinstance(event, h11.EndOfMessage):
                writer.write(self._answer(http, request))
                await writer.drain()
                if http.our_state is not h11.DONE:
                    return
                http.start_next_cycle()
            elif isinstance(event, h11.ConnectionClosed):
                return

    def _answer(self, http: h11.Connection, request: h11.Request) -> bytes:
        headers = {name.decode(): value.decode("latin-1") for name, value in request.headers}
        target = request.target.decode("latin-1")
        verdict = self._answers(headers.get("host", ""), target, headers)
        # A gateway asks with the request's own method, and to HEAD no body may be sent.
        body = b"" if request.method == b"HEAD" else verdict.body
        head = h11.Response(
            status_code=verdict.status,
            headers=[*verdict.headers, ("content-length", str(len(body)))],
            reason=verdict.status.phrase,
        )
        parts = (head, h11.Data(data=body), h11.EndOfMessage())
        return b"".join(http.send(part) or b"" for part in parts)
