"""Puts the controller of InferenceServices together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final

from rouse.controllers.inferenceservice.reconciler import Reconciler
from rouse.controllers.inferenceservice.settings import Settings
from rouse.controllers.inferenceservice.sources import Sources
from rouse.controllers.inferenceservice.triggers import connect_triggers
from rouse.kube.client import KubeClient
from rouse.kube.controller import Controller, Reconciled
from rouse.kube.events import EventRecorder
from rouse.kube.manager import Manager

__all__ = ["COMPONENT", "NAME", "make_manager"]

COMPONENT: Final = "rouse-controller"
NAME: Final = "inferenceservice"


def make_manager(
    client: KubeClient,
    *,
    workers: int = 8,
    observe: Callable[[Reconciled], None] | None = None,
    waited: Callable[[str], Callable[[float], None]] | None = None,
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Manager:
    """Make the informers, the controller and the recorder; nothing is started.

    ``waited`` makes, for a controller's name, what is told the seconds a key was in line.
    """
    sources = Sources.of(client)
    recorder = EventRecorder(client, COMPONENT, clock=lambda: clock().timestamp())
    settings = Settings(sources, recorder)
    reconciler = Reconciler(client, sources, settings, recorder, clock=clock)
    controller = Controller(
        NAME,
        reconciler,
        workers=workers,
        observe=observe,
        waited=waited(NAME) if waited else None,
    )
    # After the settings' own handlers, so that a reconcile sees the settings that caused it.
    connect_triggers(sources, controller.enqueue)
    return Manager(informers=sources.all(), controllers=[controller], recorder=recorder)
