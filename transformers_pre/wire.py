"""What the steps give and take, as JSON bodies of the two protocols and back."""

from __future__ import annotations

from typing import Any, Final, Literal

import numpy as np
import orjson

from predictors.serving.errors import InferenceError, InvalidInputError
from predictors.serving.inference import InferenceRequest, InferenceResponse, RequestedOutput
from predictors.serving.tensors import Array, Tensor, decode, encode

__all__ = ["Wire", "from_wire", "to_answer", "to_request", "to_wire"]

Wire = Literal["v1", "v2"]

_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY
_NAME: Final = "input-0"


def to_wire(payload: object, wire: Wire) -> bytes:
    """The body that the predictor is sent. Raises `InvalidInputError` for ragged rows."""
    if isinstance(payload, InferenceRequest):
        body = _v2_request(payload) if wire == "v2" else _v1_request(payload)
    elif isinstance(payload, dict):
        body = _rows_request(payload) if wire == "v2" and "instances" in payload else payload
    else:
        raise TypeError(_no_payload(payload))
    return orjson.dumps(body, option=_OPTIONS)


def to_request(payload: object) -> InferenceRequest:
    """What a predictor is asked that takes nothing but tensors.

    Raises `InvalidInputError` for a body without any, `TypeError` for what is no payload.
    """
    if isinstance(payload, InferenceRequest):
        given = payload.payload
        return to_request(given) if isinstance(given, dict) else payload
    if not isinstance(payload, dict):
        raise TypeError(_no_payload(payload))
    if "instances" in payload:
        return InferenceRequest(_tensors(payload["instances"]))
    items = payload.get("inputs")
    if not isinstance(items, list) or not items:
        raise InvalidInputError(
            'The body must have "instances" or "inputs": the predictor is asked over gRPC, '
            "which carries tensors only. Make them in preprocess."
        )
    outputs = [RequestedOutput(each["name"]) for each in payload.get("outputs") or ()]
    inputs = [decode(item, index) for index, item in enumerate(items)]
    parameters = payload.get("parameters") or {}
    return InferenceRequest(inputs, outputs, payload.get("id"), parameters)


def from_wire(body: dict[str, Any], wire: Wire) -> dict[str, Any] | InferenceResponse:
    """The predictor's answer as `postprocess` gets it. Raises `InvalidInputError`."""
    if wire == "v1" or "outputs" not in body:
        return body
    outputs = [decode(item, index) for index, item in enumerate(body["outputs"])]
    return InferenceResponse(outputs, parameters=body.get("parameters") or {})


def to_answer(result: object, request: InferenceRequest) -> InferenceResponse:
    """What `postprocess` returned, in the form that the client's protocol is encoded from."""
    if isinstance(result, InferenceResponse):
        return result
    if not isinstance(result, dict):
        raise TypeError(
            f"postprocess returned {type(result).__name__}; return a dict or an InferenceResponse"
        )
    if request.payload is not None:
        return InferenceResponse((), payload=result)
    if "outputs" in result:
        answer = from_wire(result, "v2")
        assert isinstance(answer, InferenceResponse)  # noqa: S101 - it has outputs
        return answer
    if "predictions" in result:
        return InferenceResponse([Tensor("predictions", _array(result["predictions"]))])
    raise InferenceError(
        "The client speaks V2, and postprocess returned an object with neither outputs nor "
        "predictions; return an InferenceResponse."
    )


def _v2_request(request: InferenceRequest) -> dict[str, Any]:
    body: dict[str, Any] = {"inputs": [_input(tensor) for tensor in request.inputs]}
    if request.id is not None:
        body["id"] = request.id
    if request.parameters:
        body["parameters"] = dict(request.parameters)
    if request.outputs:
        body["outputs"] = [_output(each.name, each.parameters) for each in request.outputs]
    return body


def _output(name: str, parameters: Any) -> dict[str, Any]:
    return {"name": name, "parameters": dict(parameters)} if parameters else {"name": name}


def _input(tensor: Tensor) -> dict[str, Any]:
    # A vector stays one: answers alone are widened to n x 1 for KServe's clients.
    return {**encode(tensor), "shape": list(tensor.array.shape)}


def _v1_request(request: InferenceRequest) -> dict[str, Any]:
    """Rows of one input; rows of objects, keyed by name, of several."""
    if isinstance(request.payload, dict):
        return request.payload
    if len(request.inputs) == 1:
        return {"instances": request.inputs[0].array.tolist()}
    names = [tensor.name for tensor in request.inputs]
    columns = [tensor.array.tolist() for tensor in request.inputs]
    return {"instances": [dict(zip(names, row, strict=True)) for row in zip(*columns, strict=True)]}


def _rows_request(payload: dict[str, Any]) -> dict[str, Any]:
    return {"inputs": [_input(tensor) for tensor in _tensors(payload["instances"])]}


def _tensors(rows: Any) -> list[Tensor]:
    """One tensor of rows that are lists or values; one a column of rows that are objects."""
    if not isinstance(rows, list) or not any(isinstance(row, dict) for row in rows):
        return [Tensor(_NAME, _array(rows))]
    names = list(rows[0]) if isinstance(rows[0], dict) else []
    for index, row in enumerate(rows):
        if not isinstance(row, dict) or row.keys() != set(names):
            raise InvalidInputError(
                f"instances[{index}] must be an object with the same names as the first: "
                f"{', '.join(names)}."
            )
    return [Tensor(name, _array([row[name] for row in rows])) for name in names]


def _array(rows: Any) -> Array:
    try:
        array: Array = np.asarray(rows)
    except (ValueError, OverflowError):
        raise InvalidInputError("instances are ragged: rows differ in length.") from None
    return array if array.dtype.kind in "biuf" else array.astype(object)


def _no_payload(payload: object) -> str:
    return f"preprocess returned {type(payload).__name__}; return a dict or an InferenceRequest"
