"""A ModelInferRequest to an `InferenceRequest`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
from google.protobuf.message import DecodeError

from predictors.serving.errors import InvalidInputError, UnsupportedError
from predictors.serving.grpc import parameters
from predictors.serving.grpc.messages import InferTensor, InferTensorContents, ModelInferRequest
from predictors.serving.inference import InferenceRequest, RequestedOutput
from predictors.serving.tensors import (
    DATATYPES,
    Array,
    Tensor,
    checked_shape,
    decode_raw,
    text_or_bytes,
)

__all__ = ["decode", "decode_tensors", "parsed"]

_CONTENTS: Final = {
    "BOOL": "bool_contents",
    "INT8": "int_contents",
    "INT16": "int_contents",
    "INT32": "int_contents",
    "INT64": "int64_contents",
    "UINT8": "uint_contents",
    "UINT16": "uint_contents",
    "UINT32": "uint_contents",
    "UINT64": "uint64_contents",
    "FP32": "fp32_contents",
    "FP64": "fp64_contents",
    "BYTES": "bytes_contents",
}
"""Where values of each datatype are; FP16 and BF16 come raw only."""
_NARROW: Final = frozenset({"INT8", "INT16", "UINT8", "UINT16"})
"""Datatypes whose values come in a field that holds more."""


def parsed(data: bytes) -> ModelInferRequest:
    """The message of a request's bytes. Raises `InvalidInputError` where they are none."""
    try:
        return ModelInferRequest.FromString(data)
    except DecodeError:
        raise InvalidInputError("The message is no ModelInferRequest, or is cut off.") from None


def decode(
    message: ModelInferRequest, headers: Mapping[str, str], deadline: float | None
) -> InferenceRequest:
    """The request of a message. Raises `InvalidInputError` naming the field that is wrong."""
    inputs = decode_tensors(message.inputs, message.raw_input_contents, "input")
    if not inputs:
        raise InvalidInputError("inputs must have one or more tensors.")
    request = InferenceRequest(inputs, id=message.id or None, headers=headers, deadline=deadline)
    if message.outputs:
        request.outputs = _outputs(message)
    if message.parameters:
        request.parameters = parameters.read(message.parameters)
    return request


def _outputs(message: ModelInferRequest) -> list[RequestedOutput]:
    outputs = []
    for index, output in enumerate(message.outputs):
        if not output.name:
            raise InvalidInputError(f"outputs[{index}].name must be a non-empty string.")
        values = parameters.read(output.parameters) if output.parameters else None
        _refuse_shared_memory(values, f"outputs[{index}]")
        outputs.append(RequestedOutput(output.name, values))
    return outputs


def decode_tensors(tensors: Sequence[InferTensor], raw: Sequence[bytes], side: str) -> list[Tensor]:
    """The arrays of tensors by their typed contents, or by the message's raw contents if any.

    `side`, ``input`` or ``output``, is the fields' in errors. Raises `InvalidInputError`.
    """
    if raw and len(raw) != len(tensors):
        raise InvalidInputError(
            f"raw_{side}_contents has {len(raw)} elements for {len(tensors)} {side}s; "
            f"give one for each {side}, or none and typed contents."
        )
    return [
        _tensor(tensor, raw[index] if raw else None, side, index)
        for index, tensor in enumerate(tensors)
    ]


def _tensor(tensor: InferTensor, raw: bytes | None, side: str, index: int) -> Tensor:
    field = f"{side}s[{index}]"
    name, datatype = tensor.name, tensor.datatype
    if not name:
        raise InvalidInputError(f"{field}.name must be a non-empty string.")
    if datatype not in DATATYPES:
        raise InvalidInputError(
            f"{field}.datatype must be one of {', '.join(DATATYPES)}, got {datatype!r}."
        )
    values = parameters.read(tensor.parameters) if tensor.parameters else None
    _refuse_shared_memory(values, field)
    shape = checked_shape(list(tensor.shape), field)
    if raw is None:
        array = _typed(tensor.contents, datatype, shape, field)
    elif tensor.HasField("contents"):
        raise InvalidInputError(
            f"{field}.contents must not be given together with raw_{side}_contents."
        )
    else:
        array = decode_raw(datatype, shape, raw, f"raw_{side}_contents[{index}]")
    if datatype == "BF16":
        values = {**(values or {}), "datatype": datatype}
    return Tensor(name, array, values)


def _refuse_shared_memory(values: Mapping[str, Any] | None, field: str) -> None:
    if values and "shared_memory_region" in values:
        raise UnsupportedError(
            f"{field} is in shared memory, which this server does not read; send its contents."
        )


def _typed(
    contents: InferTensorContents, datatype: str, shape: tuple[int, ...], field: str
) -> Array:
    kept = _CONTENTS.get(datatype)
    if kept is None:
        raise InvalidInputError(
            f"{field} is {datatype}, which has no typed contents; send it in raw_input_contents."
        )
    where = f"{field}.contents.{kept}"
    array = _values(getattr(contents, kept), datatype, where)
    if array.size != math.prod(shape):
        given = [found.name for found, _ in contents.ListFields() if found.name != kept]
        instead = f"; {datatype} does not belong in {', '.join(given)}" if given else ""
        raise InvalidInputError(
            f"{where} has {array.size} values, shape {list(shape)} asks for {math.prod(shape)}"
            f"{instead}."
        )
    return array.reshape(shape)


def _values(items: Sequence[Any], datatype: str, where: str) -> Array:
    dtype = DATATYPES[datatype]
    array: Array
    if datatype in ("FP32", "FP64"):
        data = items[0] if len(items) == 1 else b"".join(items)
        if len(data) % dtype.itemsize:
            raise InvalidInputError(f"{where} is cut off within a value.")
        return np.frombuffer(data, dtype) if data else np.empty(0, dtype)
    if datatype == "BYTES":
        array = np.empty(len(items), object)
        array[:] = [text_or_bytes(item) for item in items]
        return array
    if datatype not in _NARROW:
        return np.array(items, dtype)
    wide: Array = np.array(items, np.int64)
    array = wide.astype(dtype)
    if not np.array_equal(array, wide):
        raise InvalidInputError(f"{where} has values that {datatype} cannot hold.")
    return array
