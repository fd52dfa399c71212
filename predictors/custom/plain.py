"""A plain Python class: ``load``, ``predict``, and what else it may have."""

from __future__ import annotations

from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from predictors.custom.answers import answered, gathered, specs_of
from predictors.custom.calls import is_stream
from predictors.custom.signatures import Form, Takes, construct, load_arguments, takes
from predictors.custom.user import UserModel
from predictors.serving.codecs import decode_input, find_request_codec
from predictors.serving.errors import InvalidInputError, ModelLoadError, UnsupportedError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.tensors import Array, Tensor

__all__ = ["PlainModel"]


class PlainModel(UserModel):
    """The input's form is that of the annotation of the first method: preprocess, else predict.

    Methods are called one at a time; a class with ``threads = n`` is called from n threads.
    """

    platform: ClassVar[str] = "custom"

    def __init__(self, name: str, kind: type, folder: Path) -> None:
        super().__init__(name, kind, folder)
        self._made: Any = None
        self._takes: dict[str, Takes] = {}

    async def _load(self) -> None:
        made = self._made = construct(self._kind, {"name": self.name, "folder": self._folder})
        self._takes = {
            step: takes(function)
            for step in ("preprocess", "predict", "postprocess", "explain")
            if callable(function := getattr(made, step, None))
        }
        load = getattr(made, "load", None)
        if callable(load):
            ready = await self._calls(load, *load_arguments(load, self._folder))
            if ready is False:
                raise ModelLoadError(f"{self._kind.__qualname__}.load returned False.")
        self.threads = int(getattr(made, "threads", 1))
        self.inputs = specs_of(getattr(made, "inputs", ()), "inputs")
        self.outputs = specs_of(getattr(made, "outputs", ()), "outputs")
        self.takes_payload = self._first.form is Form.PAYLOAD

    @property
    def _batched(self) -> object:
        return self._made

    async def _unload(self) -> None:
        await self._called(self._made, "unload")

    async def _infer(self, request: InferenceRequest) -> InferenceResponse:
        result = await self._predicted(request)
        if is_stream(result):
            result = gathered([part async for part in self._calls.parts(result)])
        return answered(await self._after(result, request), request, self.outputs)

    async def _stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        async for part in self._calls.parts(await self._predicted(request)):
            yield answered(await self._after(part, request), request, self.outputs)

    async def _explain(self, request: InferenceRequest) -> InferenceResponse:
        if "explain" not in self._takes:
            raise UnsupportedError(f"Model {self.name} has no explainer.")
        value = await self._step("explain", await self._before(request), request)
        if request.payload is not None or not isinstance(value, dict):
            return answered(value, request)
        return InferenceResponse((), payload=value)

    @property
    def _first(self) -> Takes:
        return self._takes.get("preprocess") or self._takes["predict"]

    async def _before(self, request: InferenceRequest) -> Any:
        value = argument(request, self._first.form, self)
        if "preprocess" in self._takes:
            return await self._step("preprocess", value, request)
        return value

    async def _predicted(self, request: InferenceRequest) -> Any:
        return await self._step("predict", await self._before(request), request)

    async def _after(self, result: Any, request: InferenceRequest) -> Any:
        if "postprocess" not in self._takes:
            return result
        return await self._step("postprocess", result, request)

    async def _step(self, name: str, value: Any, request: InferenceRequest) -> Any:
        extras = self._takes[name].extras
        if not extras:
            return await self._calls(getattr(self._made, name), value)
        given = {
            "headers": dict(request.headers.items()),
            "parameters": request.parameters,
            "request": request,
        }
        named = {extra: given[extra] for extra in extras}
        return await self._calls(getattr(self._made, name), value, **named)


def argument(request: InferenceRequest, form: Form, model: UserModel) -> Any:
    """The request as a method's first argument. Raises `InvalidInputError`."""
    match form:
        case Form.REQUEST:
            return request
        case Form.PAYLOAD:
            return request.payload if request.payload is not None else _values(request, model)
        case Form.ARRAY:
            return _array(request)
        case Form.ARRAYS:
            return {tensor.name: tensor.array for tensor in request.inputs}
        case Form.FRAME:
            codec = find_request_codec("pd")
            assert codec is not None  # noqa: S101 - it is built in
            return codec.decode(request.inputs)
        case Form.LIST:
            value = _only(request, model)
            return value.tolist() if isinstance(value, np.ndarray) else value
        case Form.SINGLE:
            return _single(_only(request, model), request.inputs[0])
        case Form.AUTO:
            values = _values(request, model)
            return next(iter(values.values())) if len(values) == 1 else values


def _values(request: InferenceRequest, model: UserModel) -> dict[str, Any]:
    specs = {spec.name: spec for spec in model.inputs}
    return {
        tensor.name: decode_input(tensor, request.parameters, specs.get(tensor.name))
        for tensor in request.inputs
    }


def _only(request: InferenceRequest, model: UserModel) -> Any:
    if len(request.inputs) != 1:
        names = ", ".join(tensor.name for tensor in request.inputs[:8])
        raise InvalidInputError(
            f"inputs: model {model.name} takes one input, got {len(request.inputs)} ({names})."
        )
    return next(iter(_values(request, model).values()))


def _array(request: InferenceRequest) -> Array:
    """The only input's array; of columns of numbers the matrix they are."""
    inputs = request.inputs
    if len(inputs) == 1:
        return inputs[0].array
    columns = [tensor.array.reshape(-1) for tensor in inputs]
    sizes = {len(column) for column in columns}
    if len(sizes) != 1 or any(
        c.size != t.array.shape[0] for c, t in zip(columns, inputs, strict=True)
    ):
        raise InvalidInputError(
            f"inputs: {len(inputs)} tensors are no columns of one matrix, which the model takes."
        )
    return np.column_stack(columns)


def _single(value: Any, tensor: Tensor) -> Any:
    values = value.ravel().tolist() if isinstance(value, np.ndarray) else value
    if not isinstance(values, list):
        return values
    if len(values) != 1:
        raise InvalidInputError(f"{tensor.name} must be one value, got {len(values)}.")
    return values[0]
