"""Which annotations are ours: the API itself says who set each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rouse.api.base import Object

__all__ = ["MANAGER", "owned_annotations", "with_own_fields"]

MANAGER: Final = "rouse-keepalive"
"""Our name as a field manager."""


def with_own_fields(obj: Object) -> Object:
    """Drop the managed fields of all others from an object that was just decoded."""
    fields = obj["metadata"].pop("managedFields", None) or ()
    mine = [one for one in fields if one.get("manager") == MANAGER]
    if mine:
        obj["metadata"]["managedFields"] = mine
    return obj


def owned_annotations(obj: Mapping[str, Any]) -> frozenset[str]:
    """Return the names of the annotations that we set."""
    return frozenset(
        field.removeprefix("f:")
        for entry in obj["metadata"].get("managedFields") or ()
        if entry.get("manager") == MANAGER
        for field in _annotations(entry.get("fieldsV1") or {})
    )


def _annotations(fields: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (fields.get("f:metadata") or {}).get("f:annotations") or {}
    return {name: value for name, value in found.items() if name.startswith("f:")}
