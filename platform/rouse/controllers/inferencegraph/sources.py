"""What the controller reads: its informers, and what they say about one InferenceGraph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from typing import Any, Final

from rouse.api.base import Object
from rouse.compiler.names import GRAPH_LABEL
from rouse.controllers.writing.pods import what_pods_tell
from rouse.controllers.writing.policies import by_protected
from rouse.kube.client import KubeClient
from rouse.kube.informer import Informer, InformerOptions
from rouse.kube.objects import Key, key_of, labels_of, uid_of
from rouse.kube.resources import (
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    INFERENCE_GRAPHS,
    KNATIVE_SERVICES,
    PODS,
    SCALED_OBJECTS,
    SERVICES,
    VIRTUAL_SERVICES,
    Resource,
)

__all__ = ["Sources", "called_by", "graph_of"]

_OWNED: Final = (
    KNATIVE_SERVICES,
    DEPLOYMENTS,
    HORIZONTAL_POD_AUTOSCALERS,
    VIRTUAL_SERVICES,
    SERVICES,
    SCALED_OBJECTS,
)
"""What the modes Knative and Standard make."""

_OPEN: Final = (KNATIVE_SERVICES, VIRTUAL_SERVICES)
"""What leads requests to a router, past or by the gateway's policies."""

_OPTIONAL: Final = frozenset({SCALED_OBJECTS})
_BY_SERVICE: Final = "inferenceservice"
_BY_GRAPH: Final = "inferencegraph"
_RESYNC_S: Final = 36_000.0
"""Ten hours, as that of InferenceServices."""


@dataclass(frozen=True, slots=True)
class Sources:
    """The informers; of the kinds it owns the controller only sees what carries its label."""

    graphs: Informer
    services: Informer
    """InferenceServices; another controller's too."""
    owned: Mapping[Resource, Informer]
    policies: Informer
    """Of the gateway's pods; another controller's too."""
    pods: Informer

    @classmethod
    def of(cls, client: KubeClient, services: Informer, policies: Informer) -> Sources:
        """Make the informers but the given ones; none is started."""
        ours = InformerOptions(labels=GRAPH_LABEL, packed=True)
        graphs = Informer(
            client, INFERENCE_GRAPHS, options=InformerOptions(resync=_RESYNC_S, packed=True)
        )
        graphs.add_index(_BY_SERVICE, _concerned_by)
        policies.add_index(_BY_GRAPH, by_protected(GRAPH_LABEL))
        owned = {
            each: Informer(client, each, options=replace(ours, optional=each in _OPTIONAL))
            for each in _OWNED
        }
        for each in _OPEN:
            owned[each].add_index(_BY_GRAPH, _labelled)
        pods = Informer(client, PODS, options=replace(ours, keep=what_pods_tell))
        pods.add_index(_BY_GRAPH, _labelled)
        return cls(graphs, services, owned, policies, pods)

    def own(self) -> tuple[Informer, ...]:
        """Return the informers that are of this controller alone."""
        return (self.graphs, *self.owned.values(), self.pods)

    def owned_by(self, graph: Mapping[str, Any]) -> Iterator[Object]:
        """Yield the objects that belong to a graph."""
        for informer in self.owned.values():
            yield from informer.owned_by(uid_of(graph))

    def pods_of(self, key: Key) -> list[Object]:
        """Return what is kept of a graph's pods."""
        return list(self.pods.indexed(_BY_GRAPH, str(key)))

    def policies_of(self, key: Key) -> list[Object]:
        """Return the policies of a graph, which may be gone."""
        return list(self.policies.indexed(_BY_GRAPH, str(key)))

    def is_open(self, key: Key) -> bool:
        """Whether anything may still lead requests to a graph, which may be gone."""
        return any(self.owned[each].indexed(_BY_GRAPH, str(key)) for each in _OPEN)

    def concerned_by(self, service: Key) -> list[Key]:
        """Return the graphs that an InferenceService concerns: they call it, or have its name."""
        return [key_of(graph) for graph in self.graphs.indexed(_BY_SERVICE, str(service))]

    def services_of(self, graph: Object) -> dict[str, Object]:
        """Return, by name, the InferenceServices that a graph calls and the one of its name."""
        key = key_of(graph)
        names = {key.name, *called_by(graph)}
        found = {name: self.services.get(Key(key.namespace, name)) for name in sorted(names)}
        return {name: service for name, service in found.items() if service is not None}


def called_by(graph: Mapping[str, Any]) -> set[str]:
    """Return the names of the InferenceServices that a graph's steps call."""
    nodes = (graph.get("spec") or {}).get("nodes") or {}
    steps = (step for node in nodes.values() for step in node.get("steps") or ())
    return {step["serviceName"] for step in steps if step.get("serviceName")}


def graph_of(obj: Mapping[str, Any]) -> Key | None:
    """Return the graph whose label an object carries."""
    name = labels_of(obj).get(GRAPH_LABEL)
    return Key(key_of(obj).namespace, name) if name else None


def _labelled(obj: Mapping[str, Any]) -> tuple[str, ...]:
    key = graph_of(obj)
    return () if key is None else (str(key),)


def _concerned_by(graph: Mapping[str, Any]) -> tuple[str, ...]:
    namespace, own = key_of(graph)
    return tuple(str(Key(namespace, name)) for name in sorted({own, *called_by(graph)}))
