"""The OpenAPI 2 document, as JSON and in the protobuf form kubectl before 1.27 asks for."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rouse.embedded.apiserver.openapi.definitions import GVK, definitions_of, is_described
from rouse.embedded.apiserver.openapi.gnostic import encode_document
from rouse.embedded.apiserver.openapi.operations import Operation, operations_of, parameter_json
from rouse.embedded.apiserver.openapi.resources import ResourceDescription

__all__ = ["openapi_v2_json", "openapi_v2_protobuf"]

Raw = dict[str, Any]

_KEPT = (
    "$ref",
    "description",
    "enum",
    "format",
    "maxItems",
    "maxLength",
    "maxProperties",
    "maximum",
    "minItems",
    "minLength",
    "minProperties",
    "minimum",
    "multipleOf",
    "pattern",
    "required",
    "title",
    "type",
    "uniqueItems",
)
_UNPUBLISHED = frozenset(("x-kubernetes-int-or-string", "x-kubernetes-validations"))


def openapi_v2_json(resources: Iterable[ResourceDescription]) -> Raw:
    """The document of all resources.

    Kinds of Kubernetes' own groups that are not described here are left out of the definitions:
    kubectl then relies on the types it has, instead of calling every field unknown.
    """
    every = list(resources)
    published = [one for one in every if is_described(one) or not one.native]
    raw = definitions_of(published)
    paths: dict[str, Raw] = {}
    for resource in every:
        for operation in operations_of(resource):
            paths.setdefault(operation.path, {})[operation.method] = _operation(
                operation, resource, raw
            )
    return {
        "swagger": "2.0",
        "info": {"title": "Rouse", "version": "unversioned"},
        "paths": paths,
        "definitions": {name: _schema(each) for name, each in raw.items()},
    }


def openapi_v2_protobuf(resources: Iterable[ResourceDescription]) -> bytes:
    """The same document as a ``gnostic.openapi.v2.Document`` message."""
    return encode_document(openapi_v2_json(resources))


def _operation(
    operation: Operation, resource: ResourceDescription, definitions: Mapping[str, Raw]
) -> Raw:
    parameters = [parameter_json(each, 2) for each in operation.parameters]
    if operation.body:
        parameters.append({"name": "body", "in": "body", "required": True, "schema": {}})
    answer: Raw = {"description": "OK"}
    if operation.answer in definitions:
        answer["schema"] = {"$ref": f"#/definitions/{operation.answer}"}
    return {
        "operationId": operation.identity,
        "consumes": list(operation.consumes),
        "produces": ["application/json"],
        "parameters": parameters,
        "responses": {"200": answer},
        "x-kubernetes-action": operation.action,
        GVK: resource.gvk,
    }


def _schema(raw: Mapping[str, Any]) -> Raw:
    """A schema in the vocabulary of OpenAPI 2, in the way Kubernetes publishes it.

    Where unknown fields are allowed or null is, the known fields are not published, for kubectl
    would refuse the others; junctors and defaults have no place in this version.
    """
    out: Raw = {key: raw[key] for key in _KEPT if key in raw}
    for key, value in raw.items():
        if key.startswith("x-") and key not in _UNPUBLISHED:
            out[key] = value
    if raw.get("x-kubernetes-int-or-string"):
        out.update(type="string", format="int-or-string")
    if raw.get("nullable"):
        out.pop("type", None)
        return out
    if raw.get("x-kubernetes-preserve-unknown-fields"):
        out.pop("required", None)
        return out
    for key in ("items", "additionalProperties"):
        if isinstance(raw.get(key), Mapping):
            out[key] = _schema(raw[key])
    if raw.get("properties"):
        out["properties"] = {name: _schema(each) for name, each in raw["properties"].items()}
    return out
