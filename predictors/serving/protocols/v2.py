"""Open Inference Protocol (V2) over JSON: named tensors in, named tensors out.

Tensors may travel as raw bytes behind the JSON, in either direction: see `binary`.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from predictors.serving.contract import check
from predictors.serving.dataplane import infer
from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest, InferenceResponse, RequestedOutput
from predictors.serving.model import Model
from predictors.serving.protocols import (
    Encoded,
    Headers,
    binary,
    check_media_type,
    dumped,
    parse_object,
)
from predictors.serving.protocols.classification import classified
from predictors.serving.tensors import TensorSpec
from predictors.serving.tensors import decode as decode_tensor
from predictors.serving.tensors import encode as encode_tensor

__all__ = ["decode", "encode", "infer_json", "model_metadata"]

_MAX_TENSORS = 4096


def decode(model: Model, body: bytes, headers: Headers) -> InferenceRequest:
    """A request to ``/v2/models/M/infer``. Raises `RequestError` naming the field."""
    check_media_type(headers.get("content-type"))
    length = headers.get("inference-header-content-length")
    if length is None:
        binary.check_is_json(body, headers)
        payload = parse_object(body)
        inputs = [decode_tensor(item, index) for index, item in enumerate(_items(payload))]
    else:
        head, rest = binary.split(body, length)
        if not len(head):
            return binary.raw_request(model, rest, headers)
        payload = parse_object(head)
        inputs = binary.decode_tensors(_items(payload), rest)
    request_id = payload.get("id")
    if request_id is not None and type(request_id) is not str:
        raise InvalidInputError("id must be a string.")
    parameters = payload.get("parameters")
    outputs = payload.get("outputs")
    return InferenceRequest(
        inputs,
        _requested(outputs) if outputs is not None else (),
        request_id,
        _parameters(parameters) if parameters is not None else {},
        headers,  # type: ignore[arg-type]
    )


def encode(model: Model, request: InferenceRequest, response: InferenceResponse) -> Encoded:
    """The outputs as JSON, or as bytes behind it where asked for. Raises `RequestError`."""
    parameters = {output.name: output.parameters or {} for output in request.outputs}
    everything = bool(request.parameters.get("binary_data_output"))
    vectors = {spec.name for spec in model.outputs if len(spec.shape) == 1}
    outputs: list[dict[str, Any]] = []
    parts: list[bytes | memoryview] = []
    for tensor in response.outputs:
        asked = parameters.get(tensor.name, {})
        if "classification" in asked:
            tensor = classified(tensor, asked["classification"], model)
        column = tensor.name not in vectors
        if asked.get("binary_data", everything):
            told, part = binary.encode_tensor(tensor, column=column)
            outputs.append(told)
            parts.append(part)
        else:
            outputs.append(encode_tensor(tensor, column=column))
    answer: dict[str, Any] = {
        "model_name": response.model_name or model.name,
        "model_version": response.model_version or model.version,
    }
    if request.id is not None:
        answer["id"] = request.id
    if response.parameters:
        answer["parameters"] = response.parameters
    answer["outputs"] = outputs
    head = dumped(answer, model.name)
    return binary.joined(head, parts) if parts else Encoded(head)


def infer_json(model: Model, body: bytes) -> Encoded:
    """Decode, check, predict and encode in one go, as a rehearsal does. Raises `RequestError`."""
    request = decode(model, body, {})
    check(model, request)
    return encode(model, request, InferenceResponse(infer(model, request.inputs, request.wanted)))


def model_metadata(model: Model, versions: Sequence[str] = ()) -> dict[str, Any]:
    """The body of ``GET /v2/models/M``."""
    told: dict[str, Any] = {
        "name": model.name,
        "versions": list(versions) or [model.version],
        "platform": model.platform,
        "inputs": [_spec(spec) for spec in model.inputs],
        "outputs": [_spec(spec) for spec in model.outputs],
    }
    if model.metadata_extra:
        told["parameters"] = dict(model.metadata_extra)
    return told


def _spec(spec: TensorSpec) -> dict[str, Any]:
    told: dict[str, Any] = {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}
    if spec.parameters:
        told["parameters"] = dict(spec.parameters)
    return told


def _items(payload: Mapping[str, Any]) -> list[Any]:
    items = payload.get("inputs")
    if not isinstance(items, list) or not items:
        # What is wrong with the rest is told first: it comes before "inputs" in most bodies.
        _check_rest(payload)
        raise InvalidInputError('The body must have "inputs", a list of one or more tensors.')
    if len(items) > _MAX_TENSORS:
        raise InvalidInputError(
            f"inputs has {len(items)} tensors; at most {_MAX_TENSORS} are taken."
        )
    return items


def _check_rest(payload: Mapping[str, Any]) -> None:
    if not isinstance(payload.get("id", ""), str):
        raise InvalidInputError("id must be a string.")
    if "parameters" in payload:
        _parameters(payload["parameters"])


def _parameters(value: object, field: str = "parameters") -> dict[str, Any]:
    if value is None:
        return {}
    if not isinstance(value, dict):
        raise InvalidInputError(f"{field} must be an object.")
    if not isinstance(value.get("binary_data_output", False), bool):
        raise InvalidInputError(f"{field}.binary_data_output must be true or false.")
    return value


def _requested(outputs: object) -> list[RequestedOutput]:
    """A request's ``outputs``; empty means the model's default."""
    if not isinstance(outputs, list):
        raise InvalidInputError("outputs must be a list of objects with a name.")
    requested = []
    for index, item in enumerate(outputs):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            raise InvalidInputError(f"outputs[{index}].name must be a non-empty string.")
        parameters = item.get("parameters")
        if parameters is not None:
            parameters = _output_parameters(parameters, f"outputs[{index}].parameters")
        requested.append(RequestedOutput(name, parameters))
    return requested


def _output_parameters(value: object, field: str) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise InvalidInputError(f"{field} must be an object.")
    if not isinstance(value.get("binary_data", False), bool):
        raise InvalidInputError(f"{field}.binary_data must be true or false.")
    count = value.get("classification", 1)
    if type(count) is not int or count < 1:
        raise InvalidInputError(f"{field}.classification must be a number of classes, 1 or more.")
    return value
