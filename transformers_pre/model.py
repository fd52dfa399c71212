"""A transformer as a model of the data plane."""

from __future__ import annotations

import asyncio
import inspect
import logging
from collections.abc import AsyncIterator, Callable
from concurrent.futures import ThreadPoolExecutor
from contextlib import aclosing
from time import perf_counter
from typing import Any, Final

from predictors.serving.errors import InferenceError, RequestError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import RequestModel
from transformers_pre.predictor import Predictor
from transformers_pre.transformer import Transformer
from transformers_pre.wire import to_answer

__all__ = ["TransformerModel"]

_log = logging.getLogger(__name__)

_THREADS: Final = 4


class TransformerModel(RequestModel):
    """Answers by preprocessing, asking the predictor, and postprocessing."""

    platform = "transformer"
    takes_payload = True

    def __init__(self, transformer: Transformer, predictor: Predictor) -> None:
        super().__init__(transformer.name)
        self._transformer = transformer
        self._predictor = predictor
        self._threads = ThreadPoolExecutor(_THREADS, "transform")

    def load(self) -> None:
        """Let the transformer read what it needs."""
        self._transformer.load()

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Answer one request. Raises `RequestError`."""
        return await self._through(request, explain=False)

    async def explain(self, request: InferenceRequest) -> InferenceResponse:
        """Explain one request, by whoever answers ``:explain`` behind. Raises `RequestError`."""
        return await self._through(request, explain=True)

    async def stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        """Answer one request by the parts of the predictor's answer, each postprocessed."""
        body = await self._prepared(request)
        parts = self._predictor.stream(body, request.headers, deadline=request.deadline)
        async with aclosing(parts):
            async for part in parts:
                yield await self._finished(part, request)

    async def _through(self, request: InferenceRequest, *, explain: bool) -> InferenceResponse:
        started = perf_counter()
        body = await self._prepared(request)
        prepared = perf_counter()
        answer = await self._predictor.ask(
            body, request.headers, deadline=request.deadline, explain=explain
        )
        predicted = perf_counter()
        response = await self._finished(answer, request)
        response.preprocess = prepared - started
        response.predict = predicted - prepared
        response.postprocess = perf_counter() - predicted
        return response

    async def _prepared(self, request: InferenceRequest) -> bytes:
        given = request if request.payload is None else request.payload
        asked = await self._step(self._transformer.preprocess, given, request)
        body: bytes = self._mapped("preprocess", self._predictor.encode, asked)
        return body

    async def _finished(self, answer: object, request: InferenceRequest) -> InferenceResponse:
        result = await self._step(self._transformer.postprocess, answer, request)
        response: InferenceResponse = self._mapped("postprocess", to_answer, result, request)
        return response

    async def _step(
        self, step: Callable[..., Any], value: object, request: InferenceRequest
    ) -> object:
        name = step.__name__
        if getattr(type(self._transformer), name) is getattr(Transformer, name):
            return value
        try:
            if inspect.iscoroutinefunction(step):
                return await step(value, request.headers)
            loop = asyncio.get_running_loop()
            result = await loop.run_in_executor(self._threads, step, value, request.headers)
            return await result if inspect.isawaitable(result) else result
        except RequestError:
            raise
        except Exception as error:
            raise self._failed(name, error) from error

    def _mapped(self, name: str, work: Callable[..., Any], *arguments: object) -> Any:
        try:
            return work(*arguments)
        except RequestError:
            raise
        except Exception as error:
            raise self._failed(name, error) from error

    def _failed(self, step: str, error: Exception) -> InferenceError:
        _log.error("transformer %s failed in %s", self.name, step, exc_info=error)
        return InferenceError(
            f"Transformer {self.name} failed in {step} with {type(error).__name__}; see its log."
        )
