"""Garbage collection by ownerReferences.

An object goes when all its owners are gone (by uid, not by name). Level-based: every decision is
made from the store's indexes, so what was missed while the server was down is found at its start.
"""

from __future__ import annotations

from rouse.embedded.apiserver.deletion import FOREGROUND, ORPHAN, Options, delete, release
from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.history import Change
from rouse.embedded.apiserver.records import Key, Record
from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.state import State
from rouse.embedded.apiserver.workers import Worker

__all__ = ["GarbageCollector"]

At = tuple[str, Key]


class GarbageCollector:
    """Deletes what has lost its owners, and finishes Foreground and Orphan deletions."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._worker: Worker[At] = Worker("apiserver-gc", self._collect)
        self._unlisten = state.store.listen(self._on_change)

    def start(self) -> None:
        """Begin with everything that has an owner or is being deleted."""
        store = self._state.store
        for bucket in store.buckets():
            for record in store.records(bucket):
                if record.owners or record.deleting:
                    self._worker.add((bucket, record.key))
        self._worker.start()

    async def stop(self) -> None:
        """Stop listening and working."""
        self._unlisten()
        await self._worker.stop()

    def _on_change(self, change: Change) -> None:
        store, record = self._state.store, change.record
        if change.type == "DELETED":
            for at in store.dependents.get(record.uid, ()):
                self._worker.add(at)
            for owner in record.owners:
                self._recheck_owner(owner)
            return
        if record.deleting or any(owner not in store.by_uid for owner in record.owners):
            self._worker.add((change.bucket, record.key))

    def _recheck_owner(self, uid: str) -> None:
        """A Foreground deletion of the owner may wait for this dependent."""
        at = self._state.store.by_uid.get(uid)
        if at is not None:
            owner = self._state.store.get(*at)
            if owner is not None and owner.deleting:
                self._worker.add(at)

    async def _collect(self, at: At) -> None:
        state = self._state
        record = state.store.head(*at)
        resource = state.registry.of_bucket(at[0])
        if record is None or resource is None:
            return
        if record.deleting:
            finalizers = record.object()["metadata"].get("finalizers") or ()
            if ORPHAN in finalizers:
                await self._orphan(resource, record)
                return
            if FOREGROUND in finalizers:
                await self._finish_foreground(resource, record)
                return
        if record.owners and not record.deleting:
            await self._check_owners(resource, record)

    async def _check_owners(self, resource: Resource, record: Record) -> None:
        store = self._state.store
        obj = record.object()
        references: list[Object] = obj["metadata"]["ownerReferences"]
        alive = [each for each in references if each.get("uid") in store.by_uid]
        if not alive:
            _, written = delete(self._state, resource, record, Options())
            if written is not None:
                await written
        elif len(alive) < len(references):
            obj["metadata"]["ownerReferences"] = alive
            await store.put(resource.bucket, obj)

    async def _orphan(self, resource: Resource, owner: Record) -> None:
        for bucket, record in self._dependents(owner):
            obj = record.object()
            left = [
                each
                for each in obj["metadata"].get("ownerReferences") or ()
                if each.get("uid") != owner.uid
            ]
            obj["metadata"]["ownerReferences"] = left
            if not left:
                del obj["metadata"]["ownerReferences"]
            await self._state.store.put(bucket, obj)
        await self._release(resource, owner, ORPHAN)

    async def _finish_foreground(self, resource: Resource, owner: Record) -> None:
        blocking = False
        for bucket, record in self._dependents(owner):
            of_dependent = self._state.registry.of_bucket(bucket)
            references = record.object()["metadata"].get("ownerReferences") or ()
            mine = [each for each in references if each.get("uid") == owner.uid]
            others = [each for each in references if each.get("uid") != owner.uid]
            if of_dependent is None or any(
                each.get("uid") in self._state.store.by_uid for each in others
            ):
                continue
            gone = False
            if not record.deleting:
                gone, written = delete(
                    self._state, of_dependent, record, Options(propagation="Foreground")
                )
                if written is not None:
                    await written
            blocking |= not gone and any(each.get("blockOwnerDeletion") for each in mine)
        if not blocking:
            await self._release(resource, owner, FOREGROUND)

    async def _release(self, resource: Resource, owner: Record, finalizer: str) -> None:
        head = self._state.store.head(resource.bucket, owner.key)
        if head is not None and head.uid == owner.uid:
            await release(self._state, resource, head, finalizer)

    def _dependents(self, owner: Record) -> list[tuple[str, Record]]:
        store = self._state.store
        found = []
        for bucket, key in sorted(store.dependents.get(owner.uid, ())):
            record = store.head(bucket, key)
            if record is not None and owner.uid in record.owners:
                found.append((bucket, record))
        return found
