"""Keeps a VirtualService that Envoy refuses from taking the whole route table down.

The translation checks what it knows of. Should Envoy refuse a table all the same, the objects that
changed since the last accepted one are tried in halves until the culprits are found; those stay as
they were when Envoy last accepted them, or out, until they change.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Iterable, Sequence
from typing import Final

from rouse.embedded.mesh.objects import MeshObjects
from rouse.embedded.mesh.translate.problems import Finding
from rouse.kube.objects import Key, Object, key_of

__all__ = ["Quarantine"]

_KIND: Final = "VirtualService"
_REASON: Final = "RefusedByEnvoy"

Attempt = Callable[[], Awaitable[str]]
"""Publishes the objects as the quarantine shows them; returns why Envoy refused, '' if not."""


class Quarantine:
    """Shows the objects without those Envoy refuses. A source for the translator."""

    def __init__(self, objects: MeshObjects) -> None:
        self._objects = objects
        self._accepted: dict[Key, Object] = {}
        self._withheld: dict[Key, tuple[Object, str]] = {}

    # What the translator reads

    def get(self, kind: str, key: Key) -> Object | None:
        """Return one object; the translator asks for none that may be withheld."""
        return self._objects.get(kind, key)

    def slices_of(self, service: Key) -> Iterable[Object]:
        """Return the EndpointSlices of a Service."""
        return self._objects.slices_of(service)

    def all(self, kind: str) -> Iterable[Object]:
        """Return all objects of a kind, the last accepted version in place of a withheld one."""
        if kind != _KIND or not self._withheld:
            return self._objects.all(kind)
        shown = (self._shown(obj) for obj in self._objects.all(kind))
        return [obj for obj in shown if obj is not None]

    @property
    def findings(self) -> list[Finding]:
        """What is withheld and why."""
        return [
            Finding(_KIND, key, _REASON, f"Envoy refuses it, so it has no effect: {reason}")
            for key, (obj, reason) in self._withheld.items()
            if self._objects.get(_KIND, key) is obj
        ]

    # Finding the culprits

    async def publish(self, attempt: Attempt) -> None:
        """Have all objects published, except those Envoy refuses."""
        self._withheld = {
            key: held
            for key, held in self._withheld.items()
            if self._objects.get(_KIND, key) is held[0]
        }
        candidates = list(self.all(_KIND))
        reason = await attempt()
        if reason:
            changed = [obj for obj in candidates if self._accepted.get(key_of(obj)) is not obj]
            self._withhold(changed, reason)
            await attempt()
            if len(changed) > 1:
                for half in _halves(changed):
                    await self._admit(half, attempt)
        self._accepted = {key_of(obj): obj for obj in self.all(_KIND)}

    async def _admit(self, group: Sequence[Object], attempt: Attempt) -> None:
        for obj in group:
            del self._withheld[key_of(obj)]
        reason = await attempt()
        if not reason:
            return
        self._withhold(group, reason)
        await attempt()
        if len(group) > 1:
            for half in _halves(group):
                await self._admit(half, attempt)

    def _withhold(self, group: Iterable[Object], reason: str) -> None:
        self._withheld.update({key_of(obj): (obj, reason) for obj in group})

    def _shown(self, obj: Object) -> Object | None:
        held = self._withheld.get(key_of(obj))
        return obj if held is None or held[0] is not obj else self._accepted.get(key_of(obj))


def _halves(group: Sequence[Object]) -> tuple[Sequence[Object], Sequence[Object]]:
    middle = len(group) // 2
    return group[:middle], group[middle:]
