"""A subclass of ``kserve.Model``, as KServe's server calls it."""

from __future__ import annotations

import importlib
import inspect
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from time import perf_counter
from typing import Any, ClassVar

from predictors.custom.answers import answered, gathered, specs_of
from predictors.custom.calls import is_stream
from predictors.custom.signatures import construct
from predictors.custom.user import UserModel
from predictors.serving.errors import ModelLoadError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.tensors import (
    DATATYPES,
    Array,
    Tensor,
    TensorSpec,
    declared_datatype,
    text_or_bytes,
)

__all__ = ["KServeModel"]


class KServeModel(UserModel):
    """V1 bodies are handed over as dicts, V2 and gRPC requests as ``kserve.InferRequest``.

    `made` is an object that the user's own file has made, and loaded where it wants to.
    """

    platform: ClassVar[str] = "kserve"
    takes_payload = True

    def __init__(self, name: str, kind: type, folder: Path, made: Any = None) -> None:
        super().__init__(name, kind, folder)
        self._made = made
        self._own = made is not None
        self._kserve: Any = None
        self._headers_wanted = False

    async def _load(self) -> None:
        self._kserve = importlib.import_module("kserve")
        if self._made is None:
            self._made = construct(self._kind, {"name": self.name})
        made = self._made
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

    async def _unload(self) -> None:
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
        kserve = self._kserve
        return kserve.InferRequest(
            model_name=self.name,
            infer_inputs=[_input(kserve, tensor) for tensor in request.inputs],
            request_id=request.id,
            parameters=dict(request.parameters),
            **self._outputs_asked(request),
        )

    def _outputs_asked(self, request: InferenceRequest) -> dict[str, Any]:
        """KServe before 0.14 knows no outputs that are asked for."""
        known = inspect.signature(self._kserve.InferRequest).parameters
        if not request.outputs or "request_outputs" not in known:
            return {}
        kind = importlib.import_module("kserve.protocol.infer_type").RequestedOutput
        asked = [kind(o.name, dict(o.parameters or {})) for o in request.outputs]
        return {"request_outputs": asked}

    def _answer(self, result: Any, request: InferenceRequest) -> InferenceResponse:
        if not isinstance(result, self._kserve.InferResponse):
            return answered(result, request, self.outputs)
        return InferenceResponse(
            [_output(output) for output in result.outputs],
            parameters=dict(result.parameters or {}),
        )

    async def _specs(self, method: str) -> tuple[TensorSpec, ...]:
        told = await self._called(self._made, method)
        return specs_of(told if isinstance(told, Sequence) else (), f"{method}()")


def _input(kserve: Any, tensor: Tensor) -> Any:
    parameters = dict(tensor.parameters) if tensor.parameters else None
    datatype = declared_datatype(tensor)
    return kserve.InferInput(
        tensor.name,
        list(tensor.array.shape),
        "FP32" if datatype == "BF16" else datatype,
        tensor.array.ravel().tolist(),
        parameters,
    )


def _output(output: Any) -> Tensor:
    parameters = {
        key: value
        for key, value in dict(output.parameters or {}).items()
        if key not in ("binary_data", "binary_data_size")
    }
    return Tensor(output.name, _plain(output), parameters or None)


def _plain(output: Any) -> Array:
    """The output's array; elements of BYTES as text where they are."""
    array: Array = output.as_numpy()
    if array.dtype.kind in "OSU":
        flat = [text_or_bytes(v) if isinstance(v, bytes) else v for v in array.ravel().tolist()]
        array = array.astype(object)
        array[...] = _reshaped(flat, array)
        return array
    dtype = DATATYPES.get(output.datatype)
    return array if dtype is None or array.dtype == dtype else array.astype(dtype)


def _reshaped(flat: list[Any], like: Array) -> Array:
    made = like.reshape(-1).copy()
    made[:] = flat
    return made.reshape(like.shape)
