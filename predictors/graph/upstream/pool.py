"""The connections to one service: few are opened, as many as allowed are kept."""

from __future__ import annotations

import asyncio
import socket
import ssl
from collections import deque
from typing import Final

from predictors.graph.errors import UnreachableError
from predictors.graph.targets import Origin
from predictors.graph.upstream.connection import Connection
from predictors.serving.errors import OverloadedError

__all__ = ["Pool", "RefusedError"]

_WAIT_S: Final = 10.0


class RefusedError(UnreachableError):
    """There was no connection, so nothing was sent; in a moment there may be one."""


class Pool:
    """Connections to one origin, at most `most`; answers have at most `body_bytes`."""

    def __init__(self, origin: Origin, *, most: int, connect_s: float, body_bytes: int) -> None:
        self._origin = origin
        self._most = most
        self._connect_s = connect_s
        self._body_bytes = body_bytes
        self._idle: deque[Connection] = deque()
        self._open = 0
        self._waiting: deque[asyncio.Future[Connection | None]] = deque()
        self._tls: ssl.SSLContext | None = None

    async def take(self) -> Connection:
        """A connection, for `give_back`. Raises `UnreachableError`, `OverloadedError`."""
        while self._idle:
            connection = self._idle.pop()  # the one last used: the others may fall asleep
            if connection.reusable:
                return connection
            self._open -= 1
        if self._open >= self._most:
            waited = await self._turn()
            if waited is not None and waited.reusable:
                return waited
        else:
            self._open += 1
        try:
            return await self._connected()
        except BaseException:
            self._leave()
            raise

    def give_back(self, connection: Connection, now: float) -> None:
        """Keep a connection for the next, if it can be used again; `now` is the loop's time."""
        connection.idle_since = now
        if not connection.reusable:
            connection.abort()
            self._leave()
            return
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(connection)
                return
        self._idle.append(connection)

    def sweep(self, before: float) -> None:
        """Close what has been idle since `before`, by the loop's time."""
        while self._idle and (self._idle[0].idle_since < before or not self._idle[0].reusable):
            self._idle.popleft().abort()
            self._open -= 1

    def _leave(self) -> None:
        """Let who waits open a connection instead of one that is gone."""
        while self._waiting:
            waiting = self._waiting.popleft()
            if not waiting.done():
                waiting.set_result(None)
                return
        self._open -= 1

    async def _turn(self) -> Connection | None:
        """A connection that another has given back; None: open one."""
        waiting: asyncio.Future[Connection | None] = asyncio.get_running_loop().create_future()
        self._waiting.append(waiting)
        try:
            async with asyncio.timeout(_WAIT_S):
                return await waiting
        except BaseException as error:
            if waiting.done() and not waiting.cancelled():
                # It was its turn just now.
                given = waiting.result()
                if given is None:
                    self._leave()
                else:
                    self.give_back(given, asyncio.get_running_loop().time())
            if isinstance(error, TimeoutError):
                raise OverloadedError(
                    f"all {self._most} connections to it are in use already"
                ) from None
            raise

    async def _connected(self) -> Connection:
        loop = asyncio.get_running_loop()
        origin = self._origin
        secure = origin.scheme == "https"
        host, port = origin.proxy or (origin.host, origin.port)
        if secure and self._tls is None:
            self._tls = ssl.create_default_context()
        try:
            async with asyncio.timeout(self._connect_s):
                _, connection = await loop.create_connection(
                    lambda: Connection(self._body_bytes),
                    host,
                    port,
                    ssl=self._tls if secure else None,
                )
        except TimeoutError:
            raise UnreachableError(f"no connection within {self._connect_s:g} s") from None
        except UnicodeError:
            # Of the codec of names: one of more than 63 characters between two dots, or none.
            raise UnreachableError("no connection: the host is no name of DNS") from None
        except ssl.SSLError as error:
            raise UnreachableError(f"no connection: {error}") from error
        except OSError as error:
            raise RefusedError(f"no connection: {_reason(error)}") from error
        if not connection.reusable:
            raise RefusedError("it closed the connection at once")
        return connection


def _reason(error: OSError) -> str:
    if isinstance(error, socket.gaierror):
        return f"the host has no address ({error.strerror})"
    if isinstance(error, ConnectionRefusedError):
        return "connection refused"
    return str(error) or type(error).__name__
