"""Puts the controller of InferenceGraphs together."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from rouse.compiler import Config
from rouse.controllers.inferencegraph.reconciler import Reconciler
from rouse.controllers.inferencegraph.sources import Sources
from rouse.controllers.inferencegraph.triggers import connect_triggers
from rouse.kube.client import KubeClient
from rouse.kube.controller import Controller, Reconciled
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer

__all__ = ["NAME", "Graphs", "make_graphs"]

NAME: Final = "inferencegraph"
_WORKERS: Final = 2


@dataclass(frozen=True, slots=True)
class Graphs:
    """The controller and its own informers; nothing is started."""

    controller: Controller
    informers: tuple[Informer, ...]


def make_graphs(
    client: KubeClient,
    services: Informer,
    policies: Informer,
    settings: Iterable[Informer],
    config: Callable[[], Config],
    recorder: EventRecorder,
    *,
    clock: Callable[[], datetime],
    observe: Callable[[Reconciled], None] | None = None,
    waited: Callable[[str], Callable[[float], None]] | None = None,
) -> Graphs:
    """Make the controller on the informers of InferenceServices, policies and settings.

    ``config`` returns the settings in force, which must have heard of a change before this
    controller does; see `rouse.controllers.inferenceservice.make_manager` for the others.
    """
    sources = Sources.of(client, services, policies)
    controller = Controller(
        NAME,
        Reconciler(client, sources, config, recorder, clock=clock),
        workers=_WORKERS,
        observe=observe,
        waited=waited(NAME) if waited else None,
    )
    connect_triggers(sources, settings, controller.enqueue)
    return Graphs(controller, sources.own())
