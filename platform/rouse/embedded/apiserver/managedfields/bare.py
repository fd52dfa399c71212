"""Objects without what nobody owns: identity and the server's own records."""

from __future__ import annotations

from typing import Any

from rouse.embedded.apiserver.managedfields.fieldset import FieldSet

__all__ = ["SERVER_OWNED", "bare", "with_managed"]

Object = dict[str, Any]

SERVER_OWNED = frozenset(
    (
        "clusterName",
        "creationTimestamp",
        "deletionGracePeriodSeconds",
        "deletionTimestamp",
        "generation",
        "managedFields",
        "resourceVersion",
        "selfLink",
        "uid",
    )
)
"""Fields of metadata that only the server writes."""

_UNOWNED = SERVER_OWNED | {"name", "namespace"}


def bare(obj: Object | None) -> Object:
    """The object as far as fields of it can have owners; metadata is always there."""
    obj = obj or {}
    metadata = obj.get("metadata") or {}
    out = {key: value for key, value in obj.items() if key not in ("apiVersion", "kind")}
    out["metadata"] = {key: value for key, value in metadata.items() if key not in _UNOWNED}
    return out


def with_managed(obj: Object, managed: list[dict[str, Any]]) -> Object:
    """The object with that ``managedFields`` list."""
    metadata = {key: value for key, value in obj["metadata"].items() if key != "managedFields"}
    if managed:
        metadata["managedFields"] = managed
    return {**obj, "metadata": metadata}


def without_empty_metadata(fields: FieldSet) -> FieldSet:
    """A set of a bare object without its metadata when nothing of that is owned."""
    if fields.get("f:metadata") == {}:
        return {key: value for key, value in fields.items() if key != "f:metadata"}
    return fields
