"""Keeps the registry in step with the CustomResourceDefinitions in the store."""

from __future__ import annotations

from rouse.embedded.apiserver.crds import CLEANUP, defined_resource
from rouse.embedded.apiserver.deletion import Options, delete, release
from rouse.embedded.apiserver.history import Change
from rouse.embedded.apiserver.records import Key, Record
from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.state import State
from rouse.embedded.apiserver.workers import Worker

__all__ = ["BUCKET", "Definitions"]

BUCKET = "apiextensions.k8s.io/customresourcedefinitions"


class Definitions:
    """Serves what is defined; deletes the objects of a definition that is being deleted."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._worker: Worker[str] = Worker("apiserver-definitions", self._clean)
        self._unlisten = state.store.listen(self._on_change)
        self._ending: dict[str, str] = {}
        """bucket -> name of its definition, while that is being deleted."""

    def load(self) -> None:
        """Serve the stored definitions; must come before anything reads their objects."""
        for record in self._state.store.records(BUCKET):
            self._serve(record)

    def start(self) -> None:
        """Begin to work."""
        self._worker.start()

    async def stop(self) -> None:
        """Stop listening and working."""
        self._unlisten()
        await self._worker.stop()

    def is_ending(self, resource: Resource) -> bool:
        """Whether its definition is being deleted: no new objects then."""
        return resource.bucket in self._ending

    def _on_change(self, change: Change) -> None:
        if change.bucket == BUCKET:
            if change.type == "DELETED":
                self._drop(change.record)
            else:
                self._serve(change.record)
        elif change.type == "DELETED" and change.bucket in self._ending:
            self._worker.add(self._ending[change.bucket])

    def _serve(self, record: Record) -> None:
        resource = defined_resource(record.object())
        self._state.registry.add(resource)
        if record.deleting and self._state.registry.is_builtin(resource.group, resource.plural):
            self._worker.add(record.key.name)
        elif record.deleting:
            self._ending[resource.bucket] = record.key.name
            self._worker.add(record.key.name)

    def _drop(self, record: Record) -> None:
        plural, _, group = record.key.name.partition(".")
        bucket = f"{group}/{plural}"
        self._ending.pop(bucket, None)
        if self._state.registry.is_builtin(group, plural):
            return
        self._state.registry.remove(group, plural)
        self._state.hub.close_bucket(bucket)

    async def _clean(self, name: str) -> None:
        state = self._state
        head = state.store.head(BUCKET, Key("", name))
        definitions = state.registry.of_bucket(BUCKET)
        if head is None or not head.deleting or definitions is None:
            return
        resource = defined_resource(head.object())
        held = await self._empty(resource)
        if not held and CLEANUP in (head.object()["metadata"].get("finalizers") or ()):
            await release(state, definitions, head, CLEANUP)

    async def _empty(self, resource: Resource) -> bool:
        """Delete its objects; whether some are still there, held by someone else."""
        state = self._state
        if state.registry.is_builtin(resource.group, resource.plural):
            return False
        held = False
        for listed in state.store.records(resource.bucket):
            record = state.store.head(resource.bucket, listed.key)
            if record is not None:
                gone, written = delete(state, resource, record, Options())
                held |= not gone
                if written is not None:
                    await written
        return held
