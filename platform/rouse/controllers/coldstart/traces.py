"""What starts leave behind beside the pods: Events about them, and their nodes."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Self

from rouse.api.base import Object
from rouse.kube.client import KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key, key_of
from rouse.kube.resources import EVENTS, NODES

__all__ = ["Traces"]

_BY_POD: Final = "pod"
_KEPT: Final = ("reason", "message", "eventTime", "firstTimestamp", "involvedObject")


@dataclass(frozen=True, slots=True)
class Traces:
    """The informers. Of Events only two reasons are followed, and the API forgets them in hours."""

    pulled: Informer
    triggered: Informer
    nodes: Informer

    @classmethod
    def of(cls, client: KubeClient) -> Self:
        """Make the informers; none is started."""
        return cls(
            pulled=_events(client, "Pulled"),
            triggered=_events(client, "TriggeredScaleUp"),
            nodes=Informer(client, NODES, options=InformerOptions(keep=_what_nodes_tell)),
        )

    def all(self) -> tuple[Informer, ...]:
        """Return all informers."""
        return self.pulled, self.triggered, self.nodes

    def events_of(self, pod: Key) -> list[Object]:
        """Return the Events about a pod."""
        found = (informer.indexed(_BY_POD, str(pod)) for informer in (self.pulled, self.triggered))
        return [event for events in found for event in events]

    def node_of(self, pod: Mapping[str, Any]) -> Object | None:
        """Return the node a pod runs on."""
        name = (pod.get("spec") or {}).get("nodeName")
        return self.nodes.get(Key("", name)) if name else None


def _events(client: KubeClient, reason: str) -> Informer:
    fields = f"involvedObject.kind=Pod,reason={reason}"
    options = InformerOptions(fields=fields, keep=_what_events_tell, packed=True)
    informer = Informer(client, EVENTS, options=options)
    informer.add_index(_BY_POD, _pod_of)
    return informer


def _pod_of(event: Mapping[str, Any]) -> tuple[str, ...]:
    about = event.get("involvedObject") or {}
    return (str(Key(key_of(event).namespace, about.get("name", ""))),)


def _what_events_tell(event: Object) -> Object:
    return {"metadata": _named(event)} | {k: event[k] for k in _KEPT if event.get(k)}


def _what_nodes_tell(node: Object) -> Object:
    conditions: list[Object] = (node.get("status") or {}).get("conditions") or []
    ready = [one for one in conditions if one.get("type") == "Ready"]
    return {"metadata": _named(node), "status": {"conditions": ready}}


def _named(obj: Object) -> Object:
    kept = ("name", "namespace", "uid", "resourceVersion", "creationTimestamp")
    return {k: v for k, v in obj["metadata"].items() if k in kept}
