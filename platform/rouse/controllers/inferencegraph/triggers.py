"""Whose reconcile a change asks for."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import READY, condition_of
from rouse.compiler.graph.endpoints import address_of
from rouse.compiler.names import GRAPH_LABEL
from rouse.controllers.inferencegraph.sources import Sources, graph_of
from rouse.controllers.writing.pods import where_it_matters
from rouse.controllers.writing.policies import enqueue_protected
from rouse.kube.client import EventType
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, controller_of, key_of
from rouse.kube.resources import INFERENCE_GRAPHS, VIRTUAL_SERVICES

__all__ = ["connect_triggers"]

Enqueue = Callable[[Key], None]


def connect_triggers(sources: Sources, settings: Iterable[Informer], enqueue: Enqueue) -> None:
    """Let every change that can matter to a graph enqueue it; ``settings`` matter to all."""

    def on_graph(_type: EventType, obj: Object) -> None:
        enqueue(key_of(obj))

    def on_owned(_type: EventType, obj: Object) -> None:
        # Knative's Deployments carry the graph's labels, and are Knative's affair.
        owner = controller_of(obj)
        if owner is not None and owner.get("kind") == INFERENCE_GRAPHS.kind:
            enqueue(Key(key_of(obj).namespace, owner["name"]))

    def on_part(_type: EventType, obj: Object) -> None:
        # Knative's routes too: policies stay until the last one is gone.
        graph = graph_of(obj)
        if graph is not None:
            enqueue(graph)

    def on_service(type_: EventType, obj: Object, before: Object | None) -> None:
        now = None if type_ is EventType.DELETED else obj
        if _summary(now) != _summary(obj if now is None else before):
            for graph in sources.concerned_by(key_of(obj)):
                enqueue(graph)

    def on_setting(_type: EventType, _obj: Object) -> None:
        for key in sources.graphs.all_keys():
            enqueue(key)

    sources.graphs.add_handler(on_graph)
    sources.policies.add_handler(enqueue_protected(GRAPH_LABEL, enqueue))
    sources.services.add_change_handler(on_service)
    for resource, informer in sources.owned.items():
        informer.add_handler(on_part if resource is VIRTUAL_SERVICES else on_owned)
    sources.pods.add_change_handler(where_it_matters(on_part))
    for informer in settings:
        informer.add_handler(on_setting)


def _summary(service: Mapping[str, Any] | None) -> tuple[Any, ...] | None:
    """Return what of an InferenceService matters to a graph that calls it."""
    if service is None:
        return None
    ready = condition_of(service, READY)
    return (
        service["metadata"].get("generation"),
        address_of(dict(service)),
        ready.get("status"),
        ready.get("reason"),
    )
