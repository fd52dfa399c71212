"""A subclass of ``kserve.Model``, as KServe's server calls it."""

from __future__ import annotations

import importlib
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

from predictors.custom.answers import answered, gathered, specs_of
from predictors.custom.calls import is_stream
from predictors.custom.kserve_types import infer_request, read_response
from predictors.custom.signatures import construct
from predictors.custom.user import UserModel
from predictors.serving.errors import ModelLoadError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.tensors import TensorSpec

__all__ = ["KServeModel"]


class KServeModel(UserModel):
    """V1 bodies are handed over as dicts, V2 and gRPC requests as ``kserve.InferRequest``.

    `made` is an object that the user's own file has made, and loaded where it wants to; it is
    told to load where it was served `again`.
    """

    platform: ClassVar[str] = "kserve"
    takes_payload = True

    def __init__(
        self, name: str, kind: type, folder: Path, made: Any = None, *, again: bool = False
    ) -> None:
        super().__init__(name, kind, folder)
        self._made = made
        self._own = made is not None
        self._again = again
        self._left = False
        self._kserve: Any = None
        self._headers_wanted = False

    async def _load(self) -> None:
        self._kserve = importlib.import_module("kserve")
        if self._made is None:
            self._made = construct(self._kind, {"name": self.name})
        made = self._made
        if self._again:
            await self._calls(made.load)
        if not made.ready:
            if self._own:
                # As KServe's server does with what it is given: `start`, where there is one.
                await self._called(made, "start")
            else:
                await self._calls(made.load)
        if not made.ready:
            raise ModelLoadError(
                f"{self._kind.__qualname__} is not ready after load(): it must set self.ready = "
                "True."
            )
        self._headers_wanted = bool(getattr(made, "required_response_headers", False))
        self.inputs = await self._specs("get_input_types")
        self.outputs = await self._specs("get_output_types")

    @property
    def _batched(self) -> object:
        return self._made

    def leave_made(self) -> None:
        """Leave the user's object running: another model serves it from now on."""
        self._left = True

    async def _unload(self) -> None:
        if not self._left:
            await self._called(self._made, "stop")

    async def _infer(self, request: InferenceRequest) -> InferenceResponse:
        response, headers, timings = await self._asked(request, "predict")
        if is_stream(response):
            response = gathered([part async for part in self._calls.parts(response)])
        told = self._answer(response, request)
        told.headers = {**told.headers, **headers}
        told.preprocess, told.predict, told.postprocess = timings
        return told

    async def _stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        response, _, _ = await self._asked(request, "predict")
        async for part in self._calls.parts(response):
            yield self._answer(part, request)

    async def _explain(self, request: InferenceRequest) -> InferenceResponse:
        response, headers, _ = await self._asked(request, "explain")
        told = self._answer(response, request)
        told.headers = {**told.headers, **headers}
        return told

    async def _asked(
        self, request: InferenceRequest, verb: str
    ) -> tuple[Any, dict[str, str], tuple[float, float, float]]:
        """The steps of ``kserve.Model.__call__``, with our own clocks."""
        made, call = self._made, self._calls
        headers = dict(request.headers.items())
        told: dict[str, str] = {}
        more = (told,) if self._headers_wanted else ()
        started = perf_counter()
        payload = made.validate(await call(made.preprocess, self._payload(request), headers))
        prepared = perf_counter()
        step = made.explain if verb == "explain" else made.predict
        result = await call(step, payload, headers, *(more if verb == "predict" else ()))
        predicted = perf_counter()
        result = await call(made.postprocess, result, headers, *more)
        timings = (prepared - started, predicted - prepared, perf_counter() - predicted)
        return result, told, timings

    def _payload(self, request: InferenceRequest) -> Any:
        if request.payload is not None:
            return request.payload
        return infer_request(self._kserve, self.name, request)

    def _answer(self, result: Any, request: InferenceRequest) -> InferenceResponse:
        if not isinstance(result, self._kserve.InferResponse):
            return answered(result, request, self.outputs)
        return read_response(result)

    async def _specs(self, method: str) -> tuple[TensorSpec, ...]:
        told = await self._called(self._made, method)
        return specs_of(told if isinstance(told, Sequence) else (), f"{method}()")
