"""Live objects, as `kubectl get -o yaml` gives them, by whose they are."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rouse.compiler import Observed
from rouse.compiler.names import owner_label
from rouse.errors import InvalidError
from rouse.kube.objects import Object

__all__ = ["OWNERS", "LiveObjects", "observe", "place_of", "shown"]

OWNERS = ("InferenceService", "InferenceGraph")
"""The kinds that objects are made for."""

_Place = tuple[str, str]


@dataclass(frozen=True, slots=True)
class LiveObjects:
    """Objects of a cluster by the InferenceService or InferenceGraph that they belong to."""

    _by: Mapping[str, Mapping[_Place, list[Object]]] = field(default_factory=dict)

    @classmethod
    def read(cls, live: Iterable[Object], namespace: str) -> LiveObjects:
        """Sort objects; those that name no namespace are in the given one.

        Raises InvalidError for what cannot be a live object.
        """
        by: dict[str, dict[_Place, list[Object]]] = {kind: {} for kind in OWNERS}
        for obj in live:
            metadata = obj["metadata"]
            labels = metadata.get("labels") or {}
            if not all(isinstance(part, dict) for part in (labels, obj.get("status") or {})):
                raise InvalidError(f"{shown(obj)}: no live object: labels or status is no mapping")
            for kind in OWNERS:
                mine = obj["kind"] == kind
                name = metadata["name"] if mine else labels.get(owner_label(kind))
                if name:
                    place = (metadata.get("namespace") or namespace, name)
                    by[kind].setdefault(place, []).append(obj)
        return cls(by)

    def of(self, owner: Object) -> list[Object]:
        """Return the objects of an owner, itself among them where it is there."""
        return self._by.get(owner["kind"], {}).get(place_of(owner), [])

    def services(self, namespace: str) -> dict[str, Object]:
        """Return the InferenceServices of a namespace by name."""
        return {
            obj["metadata"]["name"]: obj
            for (where, _), found in self._by.get("InferenceService", {}).items()
            if where == namespace
            for obj in found
            if obj["kind"] == "InferenceService"
        }


def shown(obj: Object) -> str:
    """Return an object's kind, namespace and name for a message."""
    namespace = obj["metadata"].get("namespace")
    return f"{obj['kind']} {namespace + '/' if namespace else ''}{obj['metadata']['name']}"


def place_of(obj: Object) -> tuple[str, str]:
    """Return namespace and name; default where no namespace is given."""
    metadata = obj["metadata"]
    return (str(metadata.get("namespace") or "default"), str(metadata["name"]))


def observe(owner: Object, live: LiveObjects) -> Observed:
    """Return what was seen of an InferenceService or InferenceGraph."""
    knative: dict[str, Object] = {}
    revisions: dict[str, Object] = {}
    deployments: dict[str, Object] = {}
    pods: list[Object] = []
    routes: Object | None = None
    status: Object = {}
    for obj in live.of(owner):
        name = obj["metadata"]["name"]
        match obj["apiVersion"].partition("/")[0], obj["kind"]:
            case "serving.knative.dev", "Service":
                knative[name] = obj
            case "serving.knative.dev", "Revision":
                revisions[name] = obj
            case "v1", "Pod":
                pods.append(obj)
            case "apps", "Deployment":
                deployments[name] = obj
            case "networking.istio.io", "VirtualService" if name == owner["metadata"]["name"]:
                routes = obj
            case "serving.kserve.io", ("InferenceService" | "InferenceGraph"):
                status = obj.get("status") or {}
    return Observed(
        knative_services=knative,
        revisions=revisions,
        deployments=deployments,
        pods=pods,
        virtual_service=routes,
        previous_status=status,
    )
