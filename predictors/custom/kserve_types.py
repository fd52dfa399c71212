"""Requests and answers of the data plane as KServe's classes, and back.

`kserve` is the package that is importable, the genuine one or ours.
"""

from __future__ import annotations

import importlib
import inspect
from typing import Any

from predictors.serving.inference import InferenceRequest, InferenceResponse, RequestedOutput
from predictors.serving.tensors import (
    DATATYPES,
    Array,
    Tensor,
    declared_datatype,
    text_or_bytes,
)

__all__ = ["infer_request", "infer_response", "read_request", "read_response"]


def infer_request(kserve: Any, name: str, request: InferenceRequest) -> Any:
    """The ``kserve.InferRequest`` of a request."""
    return kserve.InferRequest(
        model_name=name,
        infer_inputs=[_made(kserve.InferInput, tensor) for tensor in request.inputs],
        request_id=request.id,
        parameters=dict(request.parameters),
        **_outputs_asked(kserve, request),
    )


def infer_response(kserve: Any, name: str, response: InferenceResponse) -> Any:
    """The ``kserve.InferResponse`` of an answer."""
    return kserve.InferResponse(
        response_id=response.id,
        model_name=name,
        infer_outputs=[_made(kserve.InferOutput, tensor) for tensor in response.outputs],
        parameters=dict(response.parameters),
    )


def read_request(given: Any) -> InferenceRequest:
    """The request that a ``kserve.InferRequest`` is."""
    wanted = getattr(given, "request_outputs", None) or ()
    return InferenceRequest(
        [_tensor(each) for each in given.inputs],
        [RequestedOutput(each.name, each.parameters) for each in wanted],
        given.id,
        dict(given.parameters or {}),
    )


def read_response(given: Any) -> InferenceResponse:
    """The answer that a ``kserve.InferResponse`` is."""
    return InferenceResponse(
        [_tensor(each) for each in given.outputs], parameters=dict(given.parameters or {})
    )


def _outputs_asked(kserve: Any, request: InferenceRequest) -> dict[str, Any]:
    """KServe before 0.14 knows no outputs that are asked for."""
    known = inspect.signature(kserve.InferRequest).parameters
    if not request.outputs or "request_outputs" not in known:
        return {}
    kind = importlib.import_module("kserve.protocol.infer_type").RequestedOutput
    asked = [kind(each.name, dict(each.parameters or {})) for each in request.outputs]
    return {"request_outputs": asked}


def _made(kind: Any, tensor: Tensor) -> Any:
    parameters = dict(tensor.parameters) if tensor.parameters else None
    datatype = declared_datatype(tensor)
    return kind(
        tensor.name,
        list(tensor.array.shape),
        "FP32" if datatype == "BF16" else datatype,
        tensor.array.ravel().tolist(),
        parameters,
    )


def _tensor(output: Any) -> Tensor:
    parameters = {
        key: value
        for key, value in dict(output.parameters or {}).items()
        if key not in ("binary_data", "binary_data_size")
    }
    return Tensor(output.name, _plain(output), parameters or None)


def _plain(output: Any) -> Array:
    """Its array; elements of BYTES as text where they are."""
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
