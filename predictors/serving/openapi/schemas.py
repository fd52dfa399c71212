"""JSON Schemas of requests and answers, made from `TensorSpec`s."""

from __future__ import annotations

from typing import Any, Final

from predictors.serving.model import Model
from predictors.serving.tensors import DATATYPES, TensorSpec

__all__ = ["ERROR", "v1_request", "v1_response", "v2_request", "v2_response"]

Schema = dict[str, Any]

ERROR: Final[Schema] = {
    "type": "object",
    "properties": {"error": {"type": "string", "description": "What is wrong, and where."}},
    "required": ["error"],
}
_PARAMETERS: Final[Schema] = {"type": "object", "additionalProperties": True}
_TEXT_OR_B64: Final[Schema] = {
    "anyOf": [
        {"type": "string"},
        {
            "type": "object",
            "properties": {"b64": {"type": "string", "contentEncoding": "base64"}},
            "required": ["b64"],
            "additionalProperties": False,
        },
    ]
}


def v1_request(model: Model) -> Schema:
    """The body of ``:predict``."""
    specs = model.inputs
    if len(specs) > 1:
        row: Schema = {
            "type": "object",
            "properties": {spec.name: _column(spec) for spec in specs},
            "required": [spec.name for spec in specs],
            "additionalProperties": False,
        }
    elif specs:
        row = _row(specs[0])
        names = (specs[0].parameters or {}).get("feature_names")
        if names:
            value = _value(specs[0])
            row = {
                "anyOf": [
                    row,
                    {
                        "type": "object",
                        "properties": dict.fromkeys(names, value),
                        "required": list(names),
                        "additionalProperties": False,
                    },
                ]
            }
    else:
        row = {}
    return {
        "type": "object",
        "properties": {"instances": {"type": "array", "minItems": 1, "items": row}},
        "required": ["instances"],
    }


def v1_response(field: str = "predictions") -> Schema:
    """An answer of V1: one element for each row, or what the model's own code answers."""
    return {"type": "object", "properties": {field: {}}}


def v2_request(model: Model) -> Schema:
    """The body of ``/infer``."""
    specs = model.inputs
    if not specs:
        inputs: Schema = {"items": _tensor(TensorSpec("input", "", ()))}
    elif len(specs) == 1:
        inputs = {"items": _tensor(specs[0]), "maxItems": 1}
    else:
        inputs = {
            "items": {"oneOf": [_tensor(spec, named=True) for spec in specs]},
            "maxItems": len(specs),
        }
    outputs: Schema = {"type": "object", "required": ["name"], "properties": {}}
    name: Schema = {"type": "string", "minLength": 1}
    if model.outputs:
        name["enum"] = [spec.name for spec in model.outputs]
    outputs["properties"] = {"name": name, "parameters": _requested_parameters()}
    return {
        "type": "object",
        "properties": {
            "id": {"type": "string"},
            "parameters": {
                "type": "object",
                "properties": {"binary_data_output": {"type": "boolean"}},
            },
            "inputs": {"type": "array", "minItems": max(len(specs), 1), **inputs},
            "outputs": {"type": "array", "items": outputs},
        },
        "required": ["inputs"],
    }


def v2_response(model: Model) -> Schema:
    """The answer of ``/infer``."""
    tensor: Schema = {
        "type": "object",
        "properties": {
            "name": {"type": "string"},
            "shape": {"type": "array", "items": {"type": "integer", "minimum": 0}},
            "datatype": {"enum": list(DATATYPES)},
            "parameters": _PARAMETERS,
            "data": {"type": "array"},
        },
        "required": ["name", "shape", "datatype"],
    }
    return {
        "type": "object",
        "properties": {
            "model_name": {"type": "string"},
            "model_version": {"type": "string"},
            "id": {"type": "string"},
            "parameters": _PARAMETERS,
            "outputs": {"type": "array", "items": tensor},
        },
        "required": ["model_name", "outputs"],
    }


def _requested_parameters() -> Schema:
    return {
        "type": "object",
        "properties": {
            "binary_data": {"type": "boolean"},
            "classification": {"type": "integer", "minimum": 1},
        },
    }


def _tensor(spec: TensorSpec, *, named: bool = False) -> Schema:
    name: Schema = {"const": spec.name} if named else {"type": "string", "minLength": 1}
    sizes: list[Schema] = [
        {"const": size} if size >= 0 else {"type": "integer", "minimum": 0} for size in spec.shape
    ]
    shape: Schema = {"type": "array", "items": {"type": "integer", "minimum": 0}}
    if sizes:
        shape |= {"prefixItems": sizes, "minItems": len(sizes), "maxItems": len(sizes)}
    value = _value(spec)
    data: Schema = {"type": "array", "items": {"anyOf": [value, {"type": "array"}]}}
    if not spec.datatype:
        data = {"type": "array"}
    return {
        "type": "object",
        "properties": {
            "name": name,
            "shape": shape,
            "datatype": {"enum": list(DATATYPES), **_default(spec)},
            "parameters": _PARAMETERS,
            "data": data,
        },
        "required": ["name", "shape", "datatype", "data"],
    }


def _default(spec: TensorSpec) -> Schema:
    return {"default": spec.datatype} if spec.datatype else {}


def _column(spec: TensorSpec) -> Schema:
    """A column's value in a row that is an object."""
    if len(spec.shape) == 2 and spec.shape[1] == 1:
        return _value(spec)
    return _row(spec)


def _row(spec: TensorSpec) -> Schema:
    """One row: the spec without its first axis."""
    schema = _value(spec)
    for size in reversed(spec.shape[1:]):
        schema = {"type": "array", "items": schema}
        if size >= 0:
            schema |= {"minItems": size, "maxItems": size}
    return schema


def _value(spec: TensorSpec) -> Schema:
    parameters = spec.parameters or {}
    if parameters.get("mixed"):
        return {"type": ["number", "string", "boolean", "null"]}
    if parameters.get("categories"):
        return {"enum": list(parameters["categories"])}
    if spec.datatype == "BYTES":
        return _TEXT_OR_B64
    if spec.datatype == "BOOL":
        return {"type": "boolean"}
    if spec.datatype.startswith("FP") or spec.datatype == "BF16":
        return {"type": ["number", "null"], "description": "null is NaN"}
    return {"type": "integer", **_bounds(spec.datatype)}


def _bounds(datatype: str) -> Schema:
    bits = int("".join(filter(str.isdigit, datatype)) or 64)
    if datatype.startswith("U"):
        return {"minimum": 0, "maximum": 2**bits - 1}
    return {"minimum": -(2 ** (bits - 1)), "maximum": 2 ** (bits - 1) - 1}
