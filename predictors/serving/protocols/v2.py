"""Open Inference Protocol (V2) over JSON: named tensors in, named tensors out."""

from __future__ import annotations

from collections.abc import Mapping
from time import perf_counter
from typing import Any

import orjson

from predictors.serving.dataplane import infer
from predictors.serving.errors import InvalidInputError
from predictors.serving.model import Model
from predictors.serving.protocols import Answer, parse_object
from predictors.serving.tensors import TensorSpec, decode, encode

__all__ = ["infer_json", "model_metadata"]


def infer_json(model: Model, body: bytes) -> Answer:
    """Answer ``POST /v2/models/M/infer``. Raises `RequestError`."""
    started = perf_counter()
    payload = parse_object(body)
    request_id = payload.get("id")
    if request_id is not None and not isinstance(request_id, str):
        raise InvalidInputError("id must be a string.")
    _check_parameters(payload, "parameters")
    items = payload.get("inputs")
    if not isinstance(items, list) or not items:
        raise InvalidInputError('The body must have "inputs", a list of one or more tensors.')
    inputs = [decode(item, index) for index, item in enumerate(items)]
    wanted = _wanted(payload.get("outputs"))
    decoded = perf_counter()
    outputs = infer(model, inputs, wanted)
    predicted = perf_counter()
    answer: dict[str, Any] = {
        "model_name": model.name,
        "model_version": model.version,
        "outputs": [encode(output) for output in outputs],
    }
    if request_id is not None:
        answer["id"] = request_id
    encoded = orjson.dumps(answer)
    return Answer(encoded, decoded - started, predicted - decoded, perf_counter() - predicted)


def model_metadata(model: Model) -> dict[str, Any]:
    """The body of ``GET /v2/models/M``."""
    return {
        "name": model.name,
        "versions": [model.version],
        "platform": model.platform,
        "inputs": [_spec(spec) for spec in model.inputs],
        "outputs": [_spec(spec) for spec in model.outputs],
    }


def _spec(spec: TensorSpec) -> dict[str, Any]:
    return {"name": spec.name, "datatype": spec.datatype, "shape": list(spec.shape)}


def _check_parameters(item: Mapping[str, Any], field: str) -> None:
    parameters = item.get("parameters")
    if parameters is not None and not isinstance(parameters, dict):
        raise InvalidInputError(f"{field} must be an object.")


def _wanted(outputs: object) -> list[str]:
    """The names in a request's ``outputs``; empty means the model's default."""
    if outputs is None:
        return []
    if not isinstance(outputs, list):
        raise InvalidInputError("outputs must be a list of objects with a name.")
    names = []
    for index, item in enumerate(outputs):
        name = item.get("name") if isinstance(item, dict) else None
        if not isinstance(name, str) or not name:
            raise InvalidInputError(f"outputs[{index}].name must be a non-empty string.")
        names.append(name)
    return names
