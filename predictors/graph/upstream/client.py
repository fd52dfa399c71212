"""The client of all services of a graph."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Sequence
from dataclasses import dataclass
from typing import Final

from predictors.graph.errors import LostError
from predictors.graph.messages import Answer, Message, content_of
from predictors.graph.targets import Origin, Target
from predictors.graph.upstream.coding import CODINGS, unpacked
from predictors.graph.upstream.connection import Connection, Parts, Reply
from predictors.graph.upstream.parsing import Head
from predictors.graph.upstream.pool import Pool, RefusedError
from predictors.serving.errors import DeadlineError

__all__ = ["Client", "ClientSettings"]

_PAUSE_S: Final = 0.05
_CROSSING_S: Final = 0.1
"""More than the way to a service and back takes, less than most of them work on a request."""
_LATE: Final = "it did not answer in time"
_TOLD: Final = ("content-encoding", "retry-after", "www-authenticate")
"""Headers of an answer that its reader needs, beside those of its body."""


@dataclass(frozen=True, slots=True)
class ClientSettings:
    """How services are asked; times are in seconds.

    ``connections`` are open at a time to each host and port, and further calls wait for one.
    ``retries`` are for connections that were refused, before any byte of a request was sent. Those
    kept idle are closed after ``keep_s``, before servers close them: uvicorn does after 5 s. A
    request that crosses that on its way is sent once more: its connection had been kept, and was
    closed within the time of a round trip, without a word. Anything later may be a service that
    died of the request, and is not repeated.
    """

    connections: int = 256
    retries: int = 3
    connect_s: float = 10.0
    keep_s: float = 4.0
    body_bytes: int = 100 * 1024 * 1024


class _CrossedError(LostError):
    """A kept connection was closed just as a request went out, which nobody has seen then."""


class Client:
    """Asks services. All methods run in one event loop."""

    def __init__(self, settings: ClientSettings) -> None:
        self._settings = settings
        self._pools: dict[Origin, Pool] = {}

    async def post(
        self,
        target: Target,
        message: Message,
        headers: bytes = b"",
        *,
        deadline: float | None = None,
        streamed: bool = False,
    ) -> Answer:
        """Send a message and return the answer, in parts where it is one of events and `streamed`.

        ``headers`` are further lines; ``deadline`` is the loop's time. Raises `UnreachableError`,
        `DeadlineError`, `OverloadedError`.
        """
        head = b"%s%scontent-type: %s\r\ncontent-length: %d\r\n%s\r\n" % (
            target.head,
            headers,
            message.content_type.encode("latin-1", "replace"),
            len(message.body),
            f"inference-header-content-length: {message.json_length}\r\n".encode()
            if message.json_length
            else b"",
        )
        pool = self._pool(target.origin)
        if deadline is None:
            return await self._sent(pool, head, message.body, None, streamed=streamed)
        if deadline <= asyncio.get_running_loop().time():
            raise DeadlineError(_LATE)
        try:
            async with asyncio.timeout_at(deadline):
                return await self._sent(pool, head, message.body, deadline, streamed=streamed)
        except TimeoutError:
            raise DeadlineError(_LATE) from None

    async def get(self, target: Target, path: str, headers: bytes, *, deadline: float) -> int:
        """Ask another path of a target for nothing but the status. Raises as `post`."""
        head = b"%s%s\r\n" % (target.head_of("GET", path), headers)
        try:
            async with asyncio.timeout_at(deadline):
                sending = self._sent(self._pool(target.origin), head, b"", None, streamed=False)
                return (await sending).status
        except TimeoutError:
            raise DeadlineError(_LATE) from None

    def sweep(self) -> None:
        """Close what nobody needed for a while; called every now and then."""
        before = asyncio.get_running_loop().time() - self._settings.keep_s
        for pool in self._pools.values():
            pool.sweep(before)

    def close(self) -> None:
        """Close what is idle; calls under way go on."""
        for pool in self._pools.values():
            pool.sweep(float("inf"))

    def _pool(self, origin: Origin) -> Pool:
        pool = self._pools.get(origin)
        if pool is None:
            settings = self._settings
            pool = self._pools[origin] = Pool(
                origin,
                most=settings.connections,
                connect_s=settings.connect_s,
                body_bytes=settings.body_bytes,
            )
        return pool

    async def _sent(
        self, pool: Pool, head: bytes, body: bytes, deadline: float | None, *, streamed: bool
    ) -> Answer:
        loop = asyncio.get_running_loop()
        try:
            connection, reply = await self._asked(pool, head, body, streamed=streamed)
        except _CrossedError:
            # Others that were kept may be on their end as well.
            pool.sweep(float("inf"))
            connection, reply = await self._asked(pool, head, body, streamed=streamed)
        if isinstance(reply[1], Parts):
            return _streaming(reply[0], reply[1], connection, pool, deadline)
        pool.give_back(connection, loop.time())
        return self._whole(reply[0], reply[1])

    async def _asked(
        self, pool: Pool, head: bytes, body: bytes, *, streamed: bool
    ) -> tuple[Connection, Reply]:
        """A reply, and its connection to give back. Raises `_CrossedError`, `RequestError`."""
        connection = await self._connection(pool)
        loop = asyncio.get_running_loop()
        kept, began = connection.idle_since, loop.time()
        try:
            return connection, await connection.ask(head, body, streamed=streamed)
        except BaseException as error:
            connection.abort()
            pool.give_back(connection, loop.time())
            if isinstance(error, LostError) and kept and loop.time() - began < _CROSSING_S:
                raise _CrossedError from error
            raise

    def _whole(self, head: Head, body: bytes) -> Answer:
        coding = head.headers.get("content-encoding", "").lower()
        if body and coding in CODINGS:
            # Whoever is next, a condition or a step, reads it as it is.
            body = unpacked(body, coding, self._settings.body_bytes)
            del head.headers["content-encoding"]
        return _answer(head, body)

    async def _connection(self, pool: Pool) -> Connection:
        for attempt in range(self._settings.retries):
            try:
                return await pool.take()
            except RefusedError:
                await asyncio.sleep(_PAUSE_S * 2**attempt)
        return await pool.take()


def _answer(head: Head, body: bytes, parts: AsyncGenerator[bytes, None] | None = None) -> Answer:
    told: Sequence[tuple[str, str]] = [
        (name, head.headers[name]) for name in _TOLD if name in head.headers
    ]
    kind, json_length = content_of(head.headers, body, "application/octet-stream")
    return Answer(body, kind, json_length, head.status, told, parts)


def _streaming(
    head: Head, parts: Parts, connection: Connection, pool: Pool, deadline: float | None
) -> Answer:
    """The answer whose parts hold their connection until they are read, or nobody wants them."""
    loop = asyncio.get_running_loop()
    late = None
    if deadline is not None:
        late = loop.call_at(deadline, parts.abort, DeadlineError(_LATE))

    async def read() -> AsyncGenerator[bytes, None]:
        whole = False
        try:
            async for part in parts.read():
                yield part
            whole = True
        finally:
            if late is not None:
                late.cancel()
            if not whole:
                connection.abort()
            pool.give_back(connection, loop.time())

    return _answer(head, b"", read())
