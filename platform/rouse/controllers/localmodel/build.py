"""Puts the controllers of caches together."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from rouse.compiler.config import Config
from rouse.controllers.localmodel.caches import CacheReconciler
from rouse.controllers.localmodel.nodes import NodeReconciler
from rouse.controllers.localmodel.sources import Sources
from rouse.kube.client import KubeClient
from rouse.kube.controller import Controller, Reconciled
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer

__all__ = ["CACHES", "NODES", "Parts", "make_local_models"]

CACHES: Final = "localmodelcache"
NODES: Final = "localmodelnode"


class Parts(NamedTuple):
    """What a manager starts."""

    informers: tuple[Informer, ...]
    controllers: tuple[Controller, ...]


def make_local_models(
    client: KubeClient,
    services: Informer,
    config: Callable[[], Config],
    recorder: EventRecorder,
    *,
    observe: Callable[[Reconciled], None] | None = None,
    waited: Callable[[str], Callable[[float], None]] | None = None,
) -> Parts:
    """Make informers and controllers; nothing is started. ``services`` is somebody else's."""
    sources = Sources.of(client, services, config)

    def controller(name: str, reconcile: NodeReconciler | CacheReconciler) -> Controller:
        told = waited(name) if waited else None
        return Controller(name, reconcile, workers=2, observe=observe, waited=told)

    nodes = controller(NODES, NodeReconciler(client, sources))
    caches = controller(CACHES, CacheReconciler(client, sources, recorder))
    sources.connect(nodes.enqueue, caches.enqueue)
    return Parts(sources.own(), (nodes, caches))
