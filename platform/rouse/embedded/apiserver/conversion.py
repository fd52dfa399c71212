"""The same object in another served version: only Events differ in more than apiVersion."""

from __future__ import annotations

import orjson

from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.records import Record
from rouse.embedded.apiserver.resources import Resource

__all__ = ["converted", "encoded", "to_storage"]

_NEW_EVENTS = "events.k8s.io/v1"
_RENAMED = (
    ("involvedObject", "regarding"),
    ("message", "note"),
    ("source", "deprecatedSource"),
    ("count", "deprecatedCount"),
    ("firstTimestamp", "deprecatedFirstTimestamp"),
    ("lastTimestamp", "deprecatedLastTimestamp"),
    ("reportingComponent", "reportingController"),
)


def to_storage(obj: Object, resource: Resource) -> Object:
    """The object in the version it is stored in."""
    if resource.storage:
        return _renamed({**obj, "apiVersion": "v1"}, {new: old for old, new in _RENAMED})
    wanted = resource.api_version(resource.storage_version)
    return obj if obj.get("apiVersion") == wanted else {**obj, "apiVersion": wanted}


def converted(obj: Object, api_version: str) -> Object:
    """A stored object in the version a client asked for."""
    if obj["apiVersion"] == api_version:
        return obj
    obj = {**obj, "apiVersion": api_version}
    if api_version == _NEW_EVENTS:
        obj.setdefault("eventTime", None)
        return _renamed(obj, dict(_RENAMED))
    return obj


def encoded(record: Record, api_version: str) -> bytes:
    """A stored object as JSON in the version a client asked for."""
    if record.api_version == api_version:
        return record.raw
    return orjson.dumps(converted(record.object(), api_version))


def _renamed(obj: Object, names: dict[str, str]) -> Object:
    return {names.get(key, key): value for key, value in obj.items()}
