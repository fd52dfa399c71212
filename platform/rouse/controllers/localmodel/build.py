"""Puts the controllers of caches together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from rouse.compiler.config import Config
from rouse.controllers.localmodel.caches import CacheReconciler
from rouse.controllers.localmodel.groups import GroupReconciler, connect_groups
from rouse.controllers.localmodel.labels import LabelReconciler, connect_labels
from rouse.controllers.localmodel.nodes import NodeReconciler
from rouse.controllers.localmodel.residency import KEY, Residency, Told
from rouse.controllers.localmodel.sources import Sources
from rouse.kube.client import KubeClient
from rouse.kube.controller import Controller, Reconcile, Reconciled
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer
from rouse.kube.objects import Key

__all__ = ["CACHES", "GROUPS", "LABELS", "NODES", "RESIDENCY", "Parts", "make_local_models"]

CACHES: Final = "localmodelcache"
NODES: Final = "localmodelnode"
GROUPS: Final = "localmodelnodegroup"
LABELS: Final = "localmodellabel"
RESIDENCY: Final = "residency"


class Parts(NamedTuple):
    """What a manager starts."""

    informers: tuple[Informer, ...]
    nodes: Informer
    """One of them, which others may read as well."""
    controllers: tuple[Controller, ...]


def make_local_models(
    client: KubeClient,
    services: Informer,
    pods: Informer,
    image_of: Callable[[Key], str],
    config: Callable[[], Config],
    recorder: EventRecorder,
    *,
    clock: Callable[[], datetime],
    told_plan: Told | None = None,
    observe: Callable[[Reconciled], None] | None = None,
    waited: Callable[[str], Callable[[float], None]] | None = None,
) -> Parts:
    """Make informers and controllers; nothing is started.

    ``services`` and ``pods`` are somebody else's. ``told_plan`` is told what nodes are to keep.
    """
    sources = Sources.of(client, services, pods, image_of, config)
    residency = Residency(sources, recorder, clock, told_plan)

    def controller(name: str, reconcile: Reconcile, workers: int = 2) -> Controller:
        told = waited(name) if waited else None
        return Controller(name, reconcile, workers=workers, observe=observe, waited=told)

    nodes = controller(NODES, NodeReconciler(client, sources, residency.of))
    caches = controller(CACHES, CacheReconciler(client, sources, recorder))
    plans = controller(RESIDENCY, residency, workers=1)
    residency.enqueue = nodes.enqueue
    sources.connect(nodes.enqueue, caches.enqueue, lambda: plans.enqueue(KEY))
    groups = controller(GROUPS, GroupReconciler(client, sources), workers=1)
    connect_groups(sources, groups.enqueue)
    labels = controller(LABELS, LabelReconciler(client, sources))
    connect_labels(sources, labels.enqueue)
    return Parts(sources.own(), sources.nodes, (nodes, caches, plans, groups, labels))
