"""One connection to a service: a request, its answer, the next request."""

from __future__ import annotations

import asyncio
import socket
from collections import deque
from collections.abc import AsyncIterator
from typing import Final, cast

from predictors.graph.errors import LostError, UnreachableError
from predictors.graph.upstream.parsing import Head, MalformedError, Parser
from predictors.serving.errors import RequestError

__all__ = ["Connection", "Parts", "Reply"]

_JOINED: Final = 64 * 1024
"""Bodies up to here are copied behind their head, which is cheaper than a second packet."""
_AHEAD: Final = 256 * 1024
"""Bytes of a streamed answer that wait for its reader before the service has to."""
_STREAMED: Final = "text/event-stream"

Reply = tuple[Head, "bytes | Parts"]
"""An answer, whole or in parts."""


class Connection(asyncio.Protocol):
    """A connection that is open. One request at a time."""

    def __init__(self, most: int) -> None:
        self.idle_since = 0.0
        self._most = most
        self._loop = asyncio.get_running_loop()
        self._transport: asyncio.Transport | None = None
        self._parser = Parser()
        self._answered: asyncio.Future[Reply] | None = None
        self._heard = False
        self._streamed = False
        self._body: list[bytes] = []
        self._size = 0
        self._parts: Parts | None = None
        self.reusable = True
        """Whether another request may follow, once this one is answered."""

    def ask(self, head: bytes, body: bytes, *, streamed: bool) -> asyncio.Future[Reply]:
        """Send a request. The answer comes in parts where it is one of events and `streamed`.

        Whoever gives up on it calls `abort`.
        """
        assert self._transport is not None  # noqa: S101 - it is open
        self._parser = Parser()
        self._streamed = streamed
        self._answered = self._loop.create_future()
        self._heard = False
        if len(body) <= _JOINED:
            self._transport.write(head + body)
        else:
            self._transport.writelines((head, body))
        return self._answered

    def abort(self) -> None:
        """Close at once; the service sees that nobody waits any more."""
        self.reusable = False
        if self._transport is not None:
            self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Called by the event loop."""
        self._transport = cast(asyncio.Transport, transport)
        sock = transport.get_extra_info("socket")
        if sock is not None:
            # A machine that is gone without a word is found out in minutes, not never.
            sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)

    def data_received(self, data: bytes) -> None:
        """Called by the event loop."""
        if self._answered is None:
            self.abort()  # nothing was asked
            return
        self._heard = True
        parser = self._parser
        try:
            part = parser.feed(data)
        except MalformedError as error:
            self._fail(UnreachableError(f"its answer is malformed: {error}"))
            return
        if self._parts is not None:
            self._parts.add(part)
        elif parser.head is not None:
            self._received(parser.head, part)
        if parser.complete:
            self._complete()

    def _received(self, head: Head, part: bytes) -> None:
        """A part of a body, the first or of one that is read whole."""
        if (
            self._streamed
            and not self._parser.complete
            and head.headers.get("content-type", "").startswith(_STREAMED)
        ):
            self._parts = Parts(self)
            self._parts.add(part)
            self._settle((head, self._parts))
            return
        self._size += len(part)
        # What is announced need not come to be too much.
        announced = 0 if self._parser.complete else int(head.headers.get("content-length", 0))
        if max(self._size, announced) > self._most:
            self._fail(UnreachableError(f"its answer is larger than {self._most} bytes"))
            return
        self._body.append(part)

    def _complete(self) -> None:
        head = self._parser.head
        if head is None:
            return
        # A service that has answered may not want the rest of a request any more.
        sent = self._transport is None or not self._transport.get_write_buffer_size()
        self.reusable = self.reusable and head.keeps and sent and not self._parser.excess
        if self._parts is not None:
            self._parts.finish(None)
            self._parts = None
        else:
            body = self._body[0] if len(self._body) == 1 else b"".join(self._body)
            self._settle((head, body))
        self._body.clear()
        self._size = 0
        self._answered = None

    def eof_received(self) -> None:
        """Called by the event loop, some time before the connection is lost."""
        self.reusable = False

    def connection_lost(self, exc: Exception | None) -> None:
        """Called by the event loop."""
        self.reusable = False
        self._transport = None
        if self._answered is None:
            return
        if exc is None and self._parser.end():
            self._complete()
        elif self._heard:
            self._fail(UnreachableError("it closed the connection before its answer was whole"))
        else:
            self._fail(LostError())

    def pause(self, paused: bool) -> None:
        """Let the service wait, or go on, with an answer in parts."""
        if self._transport is None or self._transport.is_closing():
            return
        if paused:
            self._transport.pause_reading()
        else:
            self._transport.resume_reading()

    def _settle(self, reply: Reply) -> None:
        if self._answered is not None and not self._answered.done():
            self._answered.set_result(reply)

    def _fail(self, error: RequestError) -> None:
        if self._parts is not None:
            self._parts.finish(error)
            self._parts = None
        elif self._answered is not None and not self._answered.done():
            self._answered.set_exception(error)
        self._answered = None
        self.abort()


class Parts:
    """An answer that is read while it still comes. `over` is set when nothing more will."""

    def __init__(self, connection: Connection) -> None:
        self._connection = connection
        self._waiting: deque[bytes] = deque()
        self._size = 0
        self._paused = False
        self._ended = False
        self._error: RequestError | None = None
        self._more = asyncio.Event()

    def add(self, part: bytes) -> None:
        """One more part."""
        if not part:
            return
        self._waiting.append(part)
        self._size += len(part)
        self._more.set()
        if self._size > _AHEAD and not self._paused:
            self._paused = True
            self._connection.pause(True)

    def finish(self, error: RequestError | None) -> None:
        """There is no more, or no more can be had."""
        if not self._ended:
            self._ended = True
            self._error = error
            self._more.set()

    def abort(self, error: RequestError) -> None:
        """Give up, and say so to the reader."""
        self.finish(error)
        self._connection.abort()

    async def read(self) -> AsyncIterator[bytes]:
        """The parts. Raises `RequestError` behind what came before."""
        while True:
            while self._waiting:
                part = self._waiting.popleft()
                self._size -= len(part)
                if self._paused and self._size <= _AHEAD // 2:
                    self._paused = False
                    self._connection.pause(False)
                yield part
            if self._ended:
                break
            self._more.clear()
            await self._more.wait()
        if self._error is not None:
            raise self._error
