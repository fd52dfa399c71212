"""Reading request bodies within limits of size and time, and undoing their compression."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Mapping
from typing import Any, Protocol

from predictors.serving.errors import BodyTimeoutError, InvalidInputError, TooLargeError
from predictors.serving.packed import CODINGS, PackedError, unpack
from predictors.serving.settings import Limits

__all__ = ["Bodies", "Exchange", "Scope"]


class Scope(Protocol):
    """The head of a request, as RSGI gives it."""

    method: str
    path: str
    query_string: str
    http_version: str
    headers: Mapping[str, str]
    """Names in lower case. What RSGI gives has of a mapping's methods `get` and `items` only."""


class Transport(Protocol):
    """A streamed answer."""

    def send_bytes(self, data: bytes) -> Awaitable[None]:
        """Send a part."""


class Exchange(Protocol):
    """The body of a request and the place for its answer, as RSGI gives them."""

    def __call__(self) -> Awaitable[bytes]:
        """The whole body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in parts."""

    def client_disconnect(self) -> Awaitable[None]:
        """Returns when the client is gone."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the answer."""

    def response_stream(self, status: int, headers: list[tuple[str, str]]) -> Transport:
        """Begin an answer that is sent in parts."""


class Bodies:
    """Reads bodies; `sweep` must be called every now and then."""

    def __init__(self, limits: Limits) -> None:
        self._limits = limits
        self._reading: dict[Any, float] = {}

    async def read(self, scope: Scope, exchange: Exchange) -> bytes:
        """The body. Raises `RequestError`."""
        headers = scope.headers
        length = headers.get("content-length")
        if length is None:
            body = await self._parts(exchange)
        else:
            if not (length.isascii() and length.isdigit()):
                raise InvalidInputError(f"Content-Length must be a number, got {length!r}.")
            # Digits without end would take int() seconds; so many are too large anyway.
            if len(length) > 18 or int(length) > self._limits.body_bytes:
                raise self._too_large(f"{length[:18]} bytes")
            body = await self._awaited(exchange())
        coding = headers.get("content-encoding")
        return body if coding is None else self._plain(body, coding.strip().lower())

    def sweep(self) -> None:
        """Give up on bodies that do not arrive."""
        oldest = asyncio.get_running_loop().time() - self._limits.body_seconds
        for future in [f for f, since in self._reading.items() if since < oldest]:
            future.cancel()

    async def _parts(self, exchange: Exchange) -> bytes:
        """A body of unannounced length."""
        parts: list[bytes] = []
        size = 0
        iterator = exchange.__aiter__()
        while True:
            try:
                part = await self._awaited(iterator.__anext__())
            except StopAsyncIteration:
                return b"".join(parts)
            if not part:
                # The end; over HTTP/2 it goes on for ever with nothing once the client is gone.
                return b"".join(parts)
            size += len(part)
            if size > self._limits.body_bytes:
                raise self._too_large("larger")
            parts.append(part)

    async def _awaited(self, future: Awaitable[bytes]) -> bytes:
        """`future`, unless the sweeper cancels it. A timeout each would cost 10 us a request."""
        self._reading[future] = asyncio.get_running_loop().time()
        try:
            return await future
        except asyncio.CancelledError:
            seconds = self._limits.body_seconds
            raise BodyTimeoutError(f"The body did not arrive within {seconds:g} s.") from None
        except RuntimeError:
            raise InvalidInputError("The body ended early or is malformed.") from None
        finally:
            del self._reading[future]

    def _plain(self, body: bytes, coding: str) -> bytes:
        if coding in ("", "identity"):
            return body
        if coding not in CODINGS:
            raise InvalidInputError(
                f"Content-Encoding must be gzip, deflate or identity, got {coding!r}."
            )
        try:
            plain = unpack(body, self._limits.body_bytes)
        except PackedError as error:
            raise InvalidInputError(f"The body is not valid {coding}: {error}.") from None
        if plain is None:
            raise self._too_large("larger, unpacked")
        return plain

    def _too_large(self, what: str) -> TooLargeError:
        return TooLargeError(
            f"The body is {what}; this server takes up to {self._limits.body_bytes} bytes."
        )
