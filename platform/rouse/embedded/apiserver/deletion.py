"""Deleting an object: at once, after its finalizers, or after a pod's grace.

Used by requests and by the server's own workers (garbage collection, namespaces, definitions).
"""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from datetime import timedelta
from typing import Literal

from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.records import Record
from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.state import State, timestamp

__all__ = ["FOREGROUND", "ORPHAN", "Options", "Propagation", "delete", "release"]

FOREGROUND = "foregroundDeletion"
ORPHAN = "orphan"

Propagation = Literal["Background", "Foreground", "Orphan"]


@dataclass(frozen=True, slots=True)
class Options:
    """How to delete; ``grace_s`` None means what the pod's spec says."""

    propagation: Propagation = "Background"
    grace_s: int | None = None
    uid: str = ""
    revision: str = ""
    dry_run: bool = False


def delete(
    state: State, resource: Resource, record: Record, options: Options
) -> tuple[bool, asyncio.Future[Record] | None]:
    """Delete the head ``record``, or mark it for deletion.

    Returns whether it is gone (False: marked), and the write to wait for, None when there is none.
    """
    obj = record.object()
    metadata = obj["metadata"]
    finalizers = list(metadata.get("finalizers") or ())
    extra = {"Foreground": FOREGROUND, "Orphan": ORPHAN}.get(options.propagation)
    if extra and not record.deleting and _has_dependents(state, record):
        finalizers = [each for each in finalizers if each not in (FOREGROUND, ORPHAN)] + [extra]
    grace = _grace(resource, obj, options)
    if not finalizers and not grace and not _held(resource, obj):
        if options.dry_run:
            return True, None
        return True, state.store.remove(resource.bucket, obj)
    if not _mark(state, resource, obj, finalizers, grace) or options.dry_run:
        return False, None
    return False, state.store.put(resource.bucket, obj)


def release(
    state: State, resource: Resource, record: Record, finalizer: str
) -> asyncio.Future[Record]:
    """Take one finalizer off an object being deleted; removes it when that was the last hold."""
    obj = record.object()
    metadata = obj["metadata"]
    left = [each for each in metadata.get("finalizers") or () if each != finalizer]
    if left:
        metadata["finalizers"] = left
    else:
        metadata.pop("finalizers", None)
    if record.deleting and not left and not _held(resource, obj):
        return state.store.remove(resource.bucket, obj)
    return state.store.put(resource.bucket, obj)


def _mark(state: State, resource: Resource, obj: Object, finalizers: list[str], grace: int) -> bool:
    """Write the deletion into metadata, in place; False when it stands there already."""
    metadata = obj["metadata"]
    before = metadata.get("deletionGracePeriodSeconds")
    if "deletionTimestamp" in metadata and (before is None or grace >= before):
        return False
    if "deletionTimestamp" not in metadata and resource.generation:
        metadata["generation"] = metadata.get("generation", 0) + 1
    metadata["deletionTimestamp"] = timestamp(state.clock() + timedelta(seconds=grace))
    metadata["deletionGracePeriodSeconds"] = grace
    if finalizers:
        metadata["finalizers"] = finalizers
    if resource.bucket == "/namespaces":
        obj["status"] = {**(obj.get("status") or {}), "phase": "Terminating"}
    return True


def _grace(resource: Resource, obj: Object, options: Options) -> int:
    """Seconds a pod that a node runs is given to end; everything else goes at once."""
    if resource.bucket != "/pods":
        return 0
    spec, status = obj.get("spec") or {}, obj.get("status") or {}
    if not spec.get("nodeName") or status.get("phase") in {"Succeeded", "Failed"}:
        return 0
    if options.grace_s is not None:
        return options.grace_s
    grace = spec.get("terminationGracePeriodSeconds", 30)
    return grace if isinstance(grace, int) else 30


def _held(resource: Resource, obj: Object) -> bool:
    """A namespace stays until its worker has emptied it."""
    return resource.bucket == "/namespaces" and bool((obj.get("spec") or {}).get("finalizers"))


def _has_dependents(state: State, record: Record) -> bool:
    return bool(state.store.dependents.get(record.uid))
