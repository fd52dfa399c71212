"""metadata over the life of an object: what clients may set, and what only the server does."""

from __future__ import annotations

from rouse.embedded.apiserver.errors import Object, bad_request, invalid
from rouse.embedded.apiserver.resources import Resource
from rouse.errors import FieldError

__all__ = ["count_generation", "for_create", "for_update", "same"]

_KEPT = ("uid", "creationTimestamp", "deletionTimestamp", "deletionGracePeriodSeconds")
_HEAD = frozenset({"apiVersion", "kind", "metadata", "status"})


def for_create(resource: Resource, obj: Object, now: str, uid: str) -> None:
    """Give a new object, in place, its identity; its status is the controllers' to write."""
    metadata = obj["metadata"]
    if metadata.get("resourceVersion"):
        raise bad_request("resourceVersion should not be set on objects to be created")
    for field in ("deletionTimestamp", "deletionGracePeriodSeconds", "selfLink", "generation"):
        metadata.pop(field, None)
    metadata["uid"] = uid
    metadata["creationTimestamp"] = now
    if resource.generation:
        metadata["generation"] = 1
    if resource.status:
        obj.pop("status", None)


def for_update(resource: Resource, new: Object, old: Object, subresource: str) -> Object:
    """``new`` with what this endpoint may not change taken from ``old``.

    The status endpoint changes only status (and who manages it), the main one everything else.
    """
    if subresource == "status":
        return _only_status(new, old)
    metadata, before = new["metadata"], old["metadata"]
    metadata["name"] = before["name"]
    if resource.namespaced:
        metadata["namespace"] = before["namespace"]
    for field in _KEPT:
        if field in before:
            metadata[field] = before[field]
        else:
            metadata.pop(field, None)
    metadata.pop("selfLink", None)
    _check_finalizers(resource, metadata, before)
    if resource.status:
        new.pop("status", None)
        if "status" in old:
            new["status"] = old["status"]
    return new


def count_generation(resource: Resource, new: Object, old: Object) -> None:
    """Set metadata.generation, in place: one more when anything but metadata and status differs.

    Comes after defaults are filled in, so that leaving one out is no change.
    """
    if resource.generation:
        changed = _spec_changed(new, old)
        new["metadata"]["generation"] = old["metadata"].get("generation", 1) + changed


def same(new: Object, old: Object) -> bool:
    """Whether a write would change nothing but its own time stamps."""
    return _bare(new) == _bare(old)


def _only_status(new: Object, old: Object) -> Object:
    kept = dict(old)
    kept["metadata"] = dict(old["metadata"])
    if "managedFields" in new["metadata"]:
        kept["metadata"]["managedFields"] = new["metadata"]["managedFields"]
    kept.pop("status", None)
    if new.get("status") is not None:
        kept["status"] = new["status"]
    return kept


def _check_finalizers(resource: Resource, new: Object, old: Object) -> None:
    if "deletionTimestamp" not in old:
        return
    added = set(new.get("finalizers") or ()) - set(old.get("finalizers") or ())
    if added:
        told = (
            "Forbidden: no new finalizers can be added if the object is being deleted, found new "
            f"finalizers {sorted(added)}"
        )
        raise invalid(
            resource.group, resource.kind, old["name"], [FieldError("metadata.finalizers", told)]
        )


def _spec_changed(new: Object, old: Object) -> bool:
    keys = (new.keys() | old.keys()) - _HEAD
    return any(new.get(key) != old.get(key) for key in keys)


def _bare(obj: Object) -> Object:
    metadata = {**obj["metadata"], "resourceVersion": ""}
    managed = metadata.get("managedFields")
    if managed:
        metadata["managedFields"] = [{**entry, "time": ""} for entry in managed]
    return {**obj, "metadata": metadata}
