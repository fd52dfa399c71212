"""The OpenAPI 3 documents: an index, and one document per group and version."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from rouse.embedded.apiserver.openapi.definitions import GVK, definitions_of
from rouse.embedded.apiserver.openapi.operations import Operation, operations_of, parameter_json
from rouse.embedded.apiserver.openapi.resources import ResourceDescription

__all__ = ["openapi_v3_group", "openapi_v3_index"]

Raw = dict[str, Any]

_V2_REF = "#/definitions/"
_V3_REF = "#/components/schemas/"
_NUMBER_OR_TEXT = [{"type": "integer"}, {"type": "string"}]


def openapi_v3_index(resources: Iterable[ResourceDescription], digest: str) -> Raw:
    """Where the documents are. ``digest`` changes with their contents, so that clients may keep
    what they have."""
    groups = dict.fromkeys((resource.group, resource.group_version) for resource in resources)
    keys = [f"apis/{version}" if group else f"api/{version}" for group, version in groups]
    return {
        "paths": {
            key: {"serverRelativeURL": f"/openapi/v3/{key}?hash={digest}"} for key in sorted(keys)
        }
    }


def openapi_v3_group(resources: Iterable[ResourceDescription], group_version: str) -> Raw:
    """The document of one group and version, such as ``apps/v1`` or ``v1``."""
    mine = [one for one in resources if one.group_version == group_version]
    paths: dict[str, Raw] = {}
    for resource in mine:
        for operation in operations_of(resource):
            paths.setdefault(operation.path, {})[operation.method] = _operation(operation, resource)
    definitions = definitions_of(mine)
    return {
        "openapi": "3.0.0",
        "info": {"title": "Rouse", "version": "unversioned"},
        "paths": paths,
        "components": {"schemas": {name: _schema(raw) for name, raw in definitions.items()}},
    }


def _operation(operation: Operation, resource: ResourceDescription) -> Raw:
    answer = {"schema": {"$ref": f"{_V3_REF}{operation.answer}"}}
    out: Raw = {
        "operationId": operation.identity,
        "parameters": [parameter_json(each, 3) for each in operation.parameters],
        "responses": {"200": {"description": "OK", "content": {"application/json": answer}}},
        "x-kubernetes-action": operation.action,
        GVK: resource.gvk,
    }
    if operation.body:
        body: Raw = {"schema": {"type": "object"}}
        if operation.method != "patch":
            body = {"schema": {"$ref": f"{_V3_REF}{resource.definition}"}}
        out["requestBody"] = {
            "required": True,
            "content": dict.fromkeys(operation.consumes, body),
        }
    return out


def _schema(raw: Mapping[str, Any]) -> Raw:
    """A schema with the references of OpenAPI 3. What stands beside a reference moves out of its
    way, for there nothing may."""
    out: Raw = {}
    for key, value in raw.items():
        if key in ("properties", "patternProperties") and isinstance(value, Mapping):
            out[key] = {name: _schema(each) for name, each in value.items()}
        elif key in ("items", "additionalProperties", "not") and isinstance(value, Mapping):
            out[key] = _schema(value)
        elif key in ("allOf", "anyOf", "oneOf"):
            out[key] = [_schema(each) for each in value]
        else:
            out[key] = value
    ref = out.pop("$ref", None)
    if ref is not None:
        target = {"$ref": ref.replace(_V2_REF, _V3_REF)}
        return {**out, "allOf": [target]} if out else target
    if out.get("x-kubernetes-int-or-string") and "type" not in out and "anyOf" not in out:
        out["oneOf"] = _NUMBER_OR_TEXT
    return out
