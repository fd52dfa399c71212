"""Namespaces being deleted: remove what is in them, then let them go."""

from __future__ import annotations

from rouse.embedded.apiserver.deletion import Options, delete
from rouse.embedded.apiserver.history import Change
from rouse.embedded.apiserver.records import Key
from rouse.embedded.apiserver.state import State
from rouse.embedded.apiserver.workers import Worker

__all__ = ["NamespaceCleaner"]

_BUCKET = "/namespaces"


class NamespaceCleaner:
    """Empties namespaces that have a deletionTimestamp."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._worker: Worker[str] = Worker("apiserver-namespaces", self._clean)
        self._ending: set[str] = set()
        self._unlisten = state.store.listen(self._on_change)

    def start(self) -> None:
        """Begin with the namespaces that were being deleted."""
        for record in self._state.store.records(_BUCKET):
            if record.deleting:
                self._note(record.key.name)
        self._worker.start()

    async def stop(self) -> None:
        """Stop listening and working."""
        self._unlisten()
        await self._worker.stop()

    def _note(self, name: str) -> None:
        self._ending.add(name)
        self._worker.add(name)

    def _on_change(self, change: Change) -> None:
        key = change.record.key
        if change.bucket == _BUCKET:
            if change.type == "DELETED":
                self._ending.discard(key.name)
            elif change.record.deleting:
                self._note(key.name)
        elif key.namespace in self._ending and change.type == "DELETED":
            self._worker.add(key.namespace)

    async def _clean(self, name: str) -> None:
        state = self._state
        head = state.store.head(_BUCKET, Key("", name))
        if head is None or not head.deleting:
            return
        if await self._empty(name):
            return
        obj = head.object()
        obj["spec"] = {**(obj.get("spec") or {}), "finalizers": []}
        if obj["metadata"].get("finalizers"):
            if head.object().get("spec") != obj["spec"]:
                await state.store.put(_BUCKET, obj)
        else:
            await state.store.remove(_BUCKET, obj)

    async def _empty(self, name: str) -> bool:
        """Delete the contents; whether something is still there, held by someone else."""
        state = self._state
        held = False
        last = None
        for bucket in state.store.buckets():
            resource = state.registry.of_bucket(bucket)
            if resource is None or not resource.namespaced:
                continue
            for listed in state.store.records(bucket, name):
                record = state.store.head(bucket, listed.key)
                if record is None:
                    continue
                gone, written = delete(state, resource, record, Options())
                held |= not gone
                last = written or last
        if last is not None:
            await last
        return held
