"""A server of one exchange a connection: bounded, so that nobody makes the process wait or grow."""

from __future__ import annotations

import asyncio
import logging
from abc import ABC, abstractmethod
from contextlib import suppress
from typing import Self

from rouse.errors import EngineError

__all__ = ["ConnectionServer"]

logger = logging.getLogger(__name__)


class ConnectionServer(ABC):
    """Listens on one port, 0 for a free one, and closes every connection after its exchange.

    ``purpose`` is told where the port cannot be had; beyond ``connections`` open ones, further
    ones are closed unanswered; a head, up to ``head_bytes``, is what `exchange` may read.
    """

    def __init__(
        self, *, host: str, port: int, purpose: str, connections: int, head_bytes: int
    ) -> None:
        self._host = host
        self._port = port
        self._purpose = purpose
        self._connections = connections
        self._head_bytes = head_bytes
        self._server: asyncio.Server | None = None
        self._open: set[asyncio.Task[None]] = set()

    @property
    def port(self) -> int:
        """The port that is listened on; with port 0 the one of IPv4, IPv6 has another."""
        if self._server is None:
            return self._port
        sockets = sorted(self._server.sockets, key=lambda one: one.family)
        return int(sockets[0].getsockname()[1])

    @abstractmethod
    async def exchange(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Read a request and answer it, each with a deadline of its own."""

    async def __aenter__(self) -> Self:
        try:
            self._server = await asyncio.start_server(
                self._accept, self._host or None, self._port, limit=self._head_bytes
            )
        except OSError as error:
            message = f"port {self._port} for {self._purpose} cannot be had: {error.strerror}"
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
        if task is None or len(self._open) >= self._connections:
            writer.close()
            return
        self._open.add(task)
        try:
            await self.exchange(reader, writer)
        except (OSError, TimeoutError, asyncio.IncompleteReadError, asyncio.LimitOverrunError):
            logger.debug("a connection to port %d ended early", self._port)
        finally:
            self._open.discard(task)
            writer.close()
            with suppress(OSError):
                await writer.wait_closed()
