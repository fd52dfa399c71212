"""Definitions of the served kinds, in the form of schemas with ``#/definitions/`` references."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import Any

from rouse.embedded.apiserver.openapi.resources import ResourceDescription
from rouse.embedded.apiserver.schema import builtin_definitions

__all__ = ["GVK", "definitions_of", "is_described"]

Raw = dict[str, Any]

GVK = "x-kubernetes-group-version-kind"
_OPEN = "x-kubernetes-preserve-unknown-fields"
_REF = "#/definitions/"
_META = "io.k8s.apimachinery.pkg.apis.meta.v1."
_IDENTITY: Mapping[str, Raw] = {
    "apiVersion": {"type": "string", "description": "Group and version of this form."},
    "kind": {"type": "string", "description": "Kind of the object."},
}


def is_described(resource: ResourceDescription) -> bool:
    """Whether the fields of a kind are known, so that nothing else need be asked about them."""
    return resource.schema is not None or bool(resource.builtin_definition)


def definitions_of(resources: Iterable[ResourceDescription]) -> dict[str, Raw]:
    """The definitions of the resources and of their lists, and all that these refer to."""
    known = builtin_definitions()
    out: dict[str, Raw] = {}
    for resource in resources:
        out[resource.definition] = {**_kind(resource), GVK: [resource.gvk]}
        if "list" in resource.verbs:
            out[f"{resource.definition}List"] = _list(resource)
    waiting = [name for raw in out.values() for name in _references(raw)]
    while waiting:
        name = waiting.pop()
        if name not in out:
            out[name] = dict(known[name])
            waiting += _references(out[name])
    return dict(sorted(out.items()))


def _kind(resource: ResourceDescription) -> Raw:
    if resource.builtin_definition:
        return dict(builtin_definitions()[resource.builtin_definition])
    raw = dict(resource.schema) if resource.schema is not None else _undescribed(resource)
    properties = raw.get("properties") or {}
    metadata = {
        "$ref": f"{_REF}{_META}ObjectMeta",
        "description": "Name, labels and the server's own records.",
    }
    return {
        **raw,
        "type": "object",
        "properties": {**_IDENTITY, **properties, "metadata": metadata},
    }


def _undescribed(resource: ResourceDescription) -> Raw:
    """A kind of which only the outline is known; its parts can still be asked for by name."""
    outline: Raw = {
        "description": f"A {resource.kind} of {resource.group}; its fields are not described here.",
        _OPEN: True,
    }
    if not resource.native:
        outline["properties"] = {
            "spec": {"description": "What is wanted.", "type": "object", _OPEN: True},
            "status": {"description": "What was observed.", "type": "object", _OPEN: True},
        }
    return outline


def _list(resource: ResourceDescription) -> Raw:
    return {
        "description": f"A list of {resource.kind}.",
        "type": "object",
        "required": ["items"],
        "properties": {
            **_IDENTITY,
            "metadata": {"$ref": f"{_REF}{_META}ListMeta"},
            "items": {
                "description": "The objects.",
                "type": "array",
                "items": {"$ref": f"{_REF}{resource.definition}"},
            },
        },
        GVK: [{**resource.gvk, "kind": f"{resource.kind}List"}],
    }


def _references(raw: Any) -> Iterator[str]:
    """Names of the definitions a schema refers to."""
    if isinstance(raw, Mapping):
        ref = raw.get("$ref")
        if isinstance(ref, str):
            yield ref.removeprefix(_REF)
        for value in raw.values():
            yield from _references(value)
    elif isinstance(raw, list):
        for value in raw:
            yield from _references(value)
