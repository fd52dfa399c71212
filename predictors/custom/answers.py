"""What user code returns, as a response of the data plane."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from predictors.serving.codecs import encode_value, encode_values
from predictors.serving.codecs.plain import array_of
from predictors.serving.errors import ModelLoadError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.tensors import DATATYPES, Tensor, TensorSpec
from predictors.serving.tensors import decode as decode_tensor

__all__ = ["answered", "gathered", "specs_of", "tensors_of"]


def answered(
    result: Any, request: InferenceRequest, outputs: Sequence[TensorSpec] = ()
) -> InferenceResponse:
    """The response of a result: arrays, lists, data frames, dicts of them, or a whole response.

    A dict that answers a payload is the body of the answer, as it is. Raises TypeError where a
    value is nothing a tensor can hold.
    """
    if isinstance(result, InferenceResponse):
        return result
    if result is None:
        raise TypeError("None was returned, not an answer")
    if request.payload is not None:
        return InferenceResponse((), payload=_body(result))
    tensors = tensors_of(result, outputs)
    if request.outputs:
        wanted = set(request.wanted)
        tensors = [tensor for tensor in tensors if tensor.name in wanted] or tensors
    if any((tensor.parameters or {}).get("content_type") == "json" for tensor in tensors):
        # V1 can tell documents as what they are.
        return InferenceResponse(tensors, payload=_body(result))
    return InferenceResponse(tensors)


def tensors_of(result: Any, outputs: Sequence[TensorSpec] = ()) -> list[Tensor]:
    """A result's tensors, named as the dict, the data frame or the signature names them."""
    if isinstance(result, Mapping):
        if isinstance(result.get("outputs"), list):
            return [decode_tensor(item, index) for index, item in enumerate(result["outputs"])]
        types = {spec.name: spec for spec in outputs}
        return [_tensor(str(name), value, types.get(name)) for name, value in result.items()]
    whole = encode_values(result)
    if whole is not None:
        return whole
    if isinstance(result, tuple) and len(result) == len(outputs) > 1:
        return [_tensor(s.name, value, s) for s, value in zip(outputs, result, strict=True)]
    spec = outputs[0] if outputs else None
    return [_tensor(spec.name if spec is not None else "predict", result, spec)]


def gathered(parts: Sequence[Any]) -> Any:
    """The parts of a stream as one result: text joined, arrays one after the other, else a list."""
    if len(parts) == 1:
        return parts[0]
    if parts and all(isinstance(part, str) for part in parts):
        return "".join(parts)
    if parts and all(isinstance(part, np.ndarray) and part.ndim for part in parts):
        return np.concatenate(parts)
    return list(parts)


def specs_of(told: object, field: str) -> tuple[TensorSpec, ...]:
    """A class's `inputs` or `outputs`: of `TensorSpec`, dicts or objects with their fields.

    Raises `ModelLoadError` naming the field that is wrong.
    """
    if not told:
        return ()
    if not isinstance(told, Sequence) or isinstance(told, str):
        raise ModelLoadError(f"{field} must be a list of tensors, got {type(told).__name__}.")
    return tuple(_spec(item, f"{field}[{index}]") for index, item in enumerate(told))


def _spec(item: Any, field: str) -> TensorSpec:
    if isinstance(item, TensorSpec):
        return item
    told = item if isinstance(item, Mapping) else vars(item)
    name, shape, parameters = told.get("name"), told.get("shape"), told.get("parameters")
    datatype = getattr(told.get("datatype"), "value", told.get("datatype"))
    if not isinstance(name, str) or not name:
        raise ModelLoadError(f"{field}.name must be a non-empty string, got {name!r}.")
    if datatype not in DATATYPES:
        raise ModelLoadError(
            f"{field}.datatype is {datatype!r}; it must be one of {', '.join(DATATYPES)}."
        )
    if not isinstance(shape, Sequence) or not all(isinstance(size, int) for size in shape):
        raise ModelLoadError(f"{field}.shape must be a list of numbers, -1 for any size.")
    dump = getattr(parameters, "model_dump", None)
    kept = dump(exclude_none=True) if dump is not None else dict(parameters or {})
    return TensorSpec(name, str(datatype), tuple(shape), kept or None)


def _tensor(name: str, value: Any, spec: TensorSpec | None) -> Tensor:
    if isinstance(value, Tensor):
        return value
    told = (spec.parameters or {}).get("content_type") if spec is not None else None
    if isinstance(value, Mapping):
        value, told = [dict(value)], "json"
    elif isinstance(value, list | tuple) and told is None:
        array = array_of(value)
        if array.dtype.kind != "O":
            value = array
    tensor = encode_value(name, value, told)
    dtype = DATATYPES.get(spec.datatype) if spec is not None else None
    if dtype is not None and dtype.kind in "biuf" and tensor.array.dtype.kind in "biuf":
        return tensor._replace(array=tensor.array.astype(dtype, copy=False))
    return tensor


def _body(result: Any) -> Any:
    if isinstance(result, Mapping):
        return result
    if hasattr(result, "to_dict") and hasattr(result, "columns"):
        return {"predictions": result.to_dict(orient="records")}
    return {"predictions": result}
