"""One stored object: its serialized bytes and the few fields the server itself needs.

Only bytes are kept: ``Record.object()`` parses a private copy, so nobody can change what is
stored by accident, and a thousand objects cost their JSON and not five times that.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, NamedTuple

import orjson

from rouse.embedded.apiserver.errors import Object

__all__ = ["Key", "Record", "record_of"]

_NOTHING: Mapping[str, str] = {}


class Key(NamedTuple):
    """Namespace (empty for cluster-scoped kinds) and name."""

    namespace: str
    name: str


class Record:
    """An immutable version of an object."""

    __slots__ = (
        "api_version",
        "deleting",
        "fields",
        "key",
        "labels",
        "owners",
        "raw",
        "revision",
        "uid",
    )

    def __init__(
        self, obj: Object, raw: bytes, key: Key, revision: int, fields: Mapping[str, str]
    ) -> None:
        metadata: Object = obj["metadata"]
        self.api_version: str = obj["apiVersion"]
        self.key = key
        self.revision = revision
        self.raw = raw
        self.uid: str = metadata.get("uid", "")
        self.labels: Mapping[str, str] = metadata.get("labels") or _NOTHING
        self.fields = fields
        self.owners: tuple[str, ...] = tuple(
            owner.get("uid", "") for owner in metadata.get("ownerReferences") or ()
        )
        self.deleting = "deletionTimestamp" in metadata

    def object(self) -> Object:
        """A fresh copy the caller may change."""
        parsed: Object = orjson.loads(self.raw)
        return parsed


def record_of(obj: Object, revision: int, fields: Mapping[str, str]) -> Record:
    """Stamp ``revision`` into the object's metadata and freeze it."""
    metadata: dict[str, Any] = obj["metadata"]
    metadata["resourceVersion"] = str(revision)
    key = Key(metadata.get("namespace") or "", metadata["name"])
    return Record(obj, orjson.dumps(obj), key, revision, fields)
