"""The objects the mesh is made of, as last seen; filled by informers, or by hand in tests."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rouse.kube.objects import Key, Object, key_of, labels_of

__all__ = ["KINDS", "SERVICE_NAME_LABEL", "MeshObjects"]

KINDS: Final = (
    "Gateway",
    "VirtualService",
    "DestinationRule",
    "RequestAuthentication",
    "AuthorizationPolicy",
    "Service",
    "EndpointSlice",
)
SERVICE_NAME_LABEL: Final = "kubernetes.io/service-name"


class MeshObjects:
    """Holds objects by kind and key; shared with informers, so never changed, only replaced."""

    def __init__(self, objects: Iterable[Object] = ()) -> None:
        self._kinds: dict[str, dict[Key, Object]] = {kind: {} for kind in KINDS}
        self._slices: dict[Key, dict[Key, Object]] = {}
        for obj in objects:
            self.put(obj)

    def put(self, obj: Object) -> None:
        """Add or replace an object."""
        key = key_of(obj)
        before = self._kinds[obj["kind"]].get(key)
        if before is not None:
            self.remove(before)
        self._kinds[obj["kind"]][key] = obj
        if (service := service_of_slice(obj)) is not None:
            self._slices.setdefault(service, {})[key] = obj

    def remove(self, obj: Object) -> None:
        """Forget an object; one that is not there is not an error."""
        key = key_of(obj)
        before = self._kinds[obj["kind"]].pop(key, None)
        if before is None or (service := service_of_slice(before)) is None:
            return
        slices = self._slices[service]
        del slices[key]
        if not slices:
            del self._slices[service]

    def get(self, kind: str, key: Key) -> Object | None:
        """Return one object."""
        return self._kinds[kind].get(key)

    def all(self, kind: str) -> Iterable[Object]:
        """Return all objects of a kind."""
        return self._kinds[kind].values()

    def slices_of(self, service: Key) -> Iterable[Object]:
        """Return the EndpointSlices of a Service."""
        return self._slices.get(service, {}).values()


def service_of_slice(obj: Object) -> Key | None:
    """Return the Service an EndpointSlice belongs to; None for other objects."""
    if obj["kind"] != "EndpointSlice":
        return None
    name = labels_of(obj).get(SERVICE_NAME_LABEL)
    return Key(key_of(obj).namespace, name) if name else None
