"""One loaded version of a model, and what stands around it: limits, queue, cache, metrics."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Awaitable
from time import perf_counter
from typing import Final

from predictors.serving.cache import ResponseCache, digest
from predictors.serving.contract import Contract
from predictors.serving.errors import RequestError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.metrics import ModelMetrics
from predictors.serving.model import Model, RequestModel
from predictors.serving.scheduling.running import failure, infer
from predictors.serving.scheduling.scheduler import Scheduler, late
from predictors.serving.settings import PlaneSettings

__all__ = ["Endpoint"]

_log = logging.getLogger(__name__)

_LARGE_BYTES: Final = 256 * 1024


class Endpoint:
    """Answers requests with one model. All methods run in the event loop.

    `in_flight` counts requests being read or answered; protocols that read a body first count
    them by `enter` and `leave`, so that a version is unloaded under nobody.
    """

    def __init__(self, model: Model, metrics: ModelMetrics, settings: PlaneSettings) -> None:
        self.model = model
        self.metrics = metrics.version(model.version)
        self._shared = metrics
        self.in_flight = 0
        self._idle: asyncio.Event | None = None
        self._check = Contract(model).check
        self._own = model if isinstance(model, RequestModel) else None
        limits = settings.limits
        self._request_seconds = limits.request_seconds
        self._cache = None
        if settings.cache_bytes and model.deterministic and self._own is None:
            self._cache = ResponseCache(settings.cache_bytes)
        self._scheduler = Scheduler(
            model,
            metrics,
            model.batching or settings.batch,
            threads=limits.threads,
            max_waiting=limits.waiting,
        )

    @property
    def inline(self) -> bool:
        """Whether `run` should be used for the next request, instead of `infer`."""
        return self._own is None and self._cache is None and self._scheduler.inline(self.in_flight)

    def run(self, request: InferenceRequest) -> InferenceResponse:
        """Answer here and now; for a model that is `inline`. Raises `RequestError`."""
        self._check(request)
        return self._now(request)

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Answer, wherever it is best done. Raises `RequestError`."""
        if self.inline:
            return self.run(request)
        self._check(request)
        if request.deadline is None and self._request_seconds:
            now = asyncio.get_running_loop().time()
            request.deadline = now + self._request_seconds
        if self._own is not None:
            return self._signed(await self._timed(self._own.infer(request), request), request)
        key = b""
        if self._cache is not None:
            size = sum(tensor.array.nbytes for tensor in request.inputs)
            # A hash of 100 MB takes 0.2 s, in which health checks would wait.
            large = size > _LARGE_BYTES
            key = await asyncio.to_thread(digest, request) if large else digest(request)
            kept = self._cache.get(key)
            if kept is not None:
                self._shared.hits += 1
                return self._signed(InferenceResponse(kept), request)
            self._shared.misses += 1
        response = await self._scheduled(request)
        if self._cache is not None:
            self._cache.put(key, response.outputs)
        return self._signed(response, request)

    async def stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        """Answer in parts; a model that cannot answers in one. Raises `RequestError`."""
        if self._own is None:
            yield await self.infer(request)
            return
        self._check(request)
        try:
            async with asyncio.timeout_at(request.deadline):
                async for response in self._own.stream(request):
                    yield self._signed(response, request)
        except TimeoutError as error:
            raise late(self.model.name) from error
        except RequestError:
            raise
        except Exception as error:
            raise failure(self.model, error) from error

    async def explain(self, request: InferenceRequest) -> InferenceResponse:
        """Explain the model's answer. Raises `RequestError`."""
        started = perf_counter()
        response = await self._timed(self._explained(request), request)
        self._shared.explain.observe(perf_counter() - started)
        return self._signed(response, request)

    def enter(self) -> None:
        """Count a request that will ask this model."""
        self.in_flight += 1

    def leave(self) -> None:
        """Count it out again."""
        self.in_flight -= 1
        if self._idle is not None and not self.in_flight:
            self._idle.set()

    async def close(self, seconds: float) -> None:
        """Wait up to `seconds` for requests in flight and calls of the model, then take it down.

        A call may outlast its request, when nobody waited for the answer any more.
        """
        self._idle = asyncio.Event()
        try:
            async with asyncio.timeout(seconds):
                if self.in_flight:
                    await self._idle.wait()
                await self._scheduler.idle()
        except TimeoutError:
            _log.warning("model %s is unloaded while it is still asked", self.model.name)
        self._scheduler.close()
        self.model.ready = False
        await asyncio.to_thread(self.model.unload)

    def _now(self, request: InferenceRequest) -> InferenceResponse:
        model = self.model
        if request.deadline is not None and asyncio.get_running_loop().time() > request.deadline:
            raise late(model.name)
        started = perf_counter()
        try:
            outputs = infer(model, request.inputs, request.wanted)
        finally:
            seconds = perf_counter() - started
            self._scheduler.spent(seconds)
        response = InferenceResponse(outputs, predict=seconds)
        response.id = request.id
        response.model_name = model.name
        response.model_version = model.version
        return response

    async def _scheduled(self, request: InferenceRequest) -> InferenceResponse:
        if self._scheduler.inline(self.in_flight):
            return self._now(request)
        return await self._scheduler.submit(request)

    async def _explained(self, request: InferenceRequest) -> InferenceResponse:
        if self._own is not None:
            explained = self._own.explain(request)
        else:
            explained = await asyncio.to_thread(self.model.explain, request)
        return await explained if inspect.isawaitable(explained) else explained

    async def _timed(
        self, answering: Awaitable[InferenceResponse], request: InferenceRequest
    ) -> InferenceResponse:
        started = perf_counter()
        try:
            async with asyncio.timeout_at(request.deadline):
                response = await answering
        except TimeoutError as error:
            if request.deadline is None:
                raise failure(self.model, error) from error
            raise late(self.model.name) from None
        except RequestError:
            raise
        except Exception as error:
            raise failure(self.model, error) from error
        response.predict = response.predict or perf_counter() - started
        return response

    def _signed(self, response: InferenceResponse, request: InferenceRequest) -> InferenceResponse:
        response.id = request.id
        response.model_name = self.model.name
        response.model_version = self.model.version
        return response
