"""The HTTP application: a request in, one answer out, whatever happens.

It speaks RSGI, Granian's interface. A cheap model is run in the event loop, because handing a
request to a thread costs more than such a model does; a dear one, or a large body, runs in a
thread so that health checks keep being answered.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, Protocol

import orjson

from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import (
    BodyTimeoutError,
    InvalidInputError,
    OverloadedError,
    RequestError,
    TooLargeError,
)
from predictors.serving.metrics import ServerMetrics
from predictors.serving.protocols import Answer
from predictors.serving.router import JSON, Lane, Router
from predictors.serving.settings import Limits

__all__ = ["Application"]

_log = logging.getLogger(__name__)

_SLOW_SECONDS: Final = 0.005
_LARGE_BYTES: Final = 256 * 1024
_SWEEP_SECONDS: Final = 1.0


class Headers(Protocol):
    """Request headers, names in lower case."""

    def get(self, key: str, default: Any = None) -> Any:
        """The value of a header."""


class Scope(Protocol):
    """The head of a request, as RSGI gives it."""

    method: str
    path: str
    http_version: str
    headers: Headers


class Exchange(Protocol):
    """The body of a request and the place for its answer, as RSGI gives them."""

    def __call__(self) -> Awaitable[bytes]:
        """The whole body."""

    def __aiter__(self) -> AsyncIterator[bytes]:
        """The body in parts."""

    def response_bytes(self, status: int, headers: list[tuple[str, str]], body: bytes) -> None:
        """Send the answer."""


class Application:
    """Answers requests from a data plane. All of it runs in one event loop."""

    def __init__(
        self, plane: DataPlane, router: Router, metrics: ServerMetrics, limits: Limits
    ) -> None:
        self._plane = plane
        self._router = router
        self._metrics = metrics
        self._limits = limits
        self._reading: dict[Any, float] = {}
        self._executor: ThreadPoolExecutor | None = None
        self._last_header: tuple[str, str] | None = None

    def drain(self) -> None:
        """From now on say in every answer that its connection closes."""
        self._router.draining = True

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one request. Never raises: an unforeseen error is logged and answered with 500."""
        method = scope.method
        try:
            if method == "POST":
                lane = self._router.lane(method, scope.path)
                await self._infer(lane, scope, exchange)
                return
            if method not in ("GET", "HEAD"):
                raise self._router.refuse(method, scope.path)
            content_type, body = self._router.page(method, scope.path)()
            status, headers = 200, [("content-type", content_type)]
        except RequestError as error:
            status, headers, body = _failure(error)
        except Exception:
            _log.exception("unforeseen error on %s %s", method, scope.path)
            status, headers, body = _failure(RequestError("Internal server error."))
        self._respond(scope, exchange, status, headers, body)

    async def _infer(self, lane: Lane, scope: Scope, exchange: Exchange) -> None:
        metrics = self._metrics
        if metrics.in_flight >= self._limits.in_flight:
            lane.metrics.failed(OverloadedError.status)
            raise OverloadedError(
                f"{metrics.in_flight} requests are in flight already; try again in a second."
            )
        metrics.in_flight += 1
        try:
            model = self._plane.get(lane.name, lane.version)
            body = await self._read(scope, exchange)
            if lane.seconds < _SLOW_SECONDS and len(body) < _LARGE_BYTES:
                answer = lane.handle(model, body)
            else:
                loop = asyncio.get_running_loop()
                answer = await loop.run_in_executor(self._threads(), lane.handle, model, body)
        except RequestError as error:
            lane.metrics.failed(error.status)
            raise
        finally:
            metrics.in_flight -= 1
        lane.metrics.succeeded(answer)
        seconds = answer.preprocess + answer.predict + answer.postprocess
        lane.seconds += (seconds - lane.seconds) * 0.2
        self._respond(scope, exchange, 200, _answer_headers(answer), answer.body)

    async def _read(self, scope: Scope, exchange: Exchange) -> bytes:
        """The body, within the limits of size and time."""
        length = scope.headers.get("content-length")
        if length is None:
            return await self._read_parts(exchange)
        if int(length) > self._limits.body_bytes:
            raise self._too_large(f"{length} bytes")
        return await self._awaited(exchange())

    async def _read_parts(self, exchange: Exchange) -> bytes:
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

    async def sweep(self) -> None:
        """Give up on bodies that do not arrive; runs as long as the server."""
        while True:
            await asyncio.sleep(_SWEEP_SECONDS)
            oldest = asyncio.get_running_loop().time() - self._limits.body_seconds
            for future in [f for f, since in self._reading.items() if since < oldest]:
                future.cancel()

    def _too_large(self, what: str) -> TooLargeError:
        return TooLargeError(
            f"The body is {what}; this server takes up to {self._limits.body_bytes} bytes."
        )

    def _threads(self) -> ThreadPoolExecutor:
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._limits.threads, "predict")
        return self._executor

    def _respond(
        self,
        scope: Scope,
        exchange: Exchange,
        status: int,
        headers: list[tuple[str, str]],
        body: bytes,
    ) -> None:
        if self._router.draining and scope.http_version.startswith("1"):
            headers = [*headers, ("connection", "close")]
        exchange.response_bytes(status, headers, body)


def _answer_headers(answer: Answer) -> list[tuple[str, str]]:
    timing = f"predict;dur={answer.predict * 1e3:.3f}"
    return [("content-type", JSON), ("server-timing", timing)]


def _failure(error: RequestError) -> tuple[int, list[tuple[str, str]], bytes]:
    headers: Sequence[tuple[str, str]] = error.headers
    body = orjson.dumps({"error": str(error)})
    return error.status, [("content-type", JSON), *headers], body
