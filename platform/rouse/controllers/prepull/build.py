"""Puts the controller of images together."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime
from typing import Final, NamedTuple

from rouse.compiler.config import Config
from rouse.controllers.prepull.reconciler import KEY, Informers, Reconciler, Told, UsesOf
from rouse.kube.client import KubeClient
from rouse.kube.controller import Controller, Reconciled
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer

__all__ = ["NAME", "Parts", "make_pre_pull"]

NAME: Final = "pre-pull"


class Parts(NamedTuple):
    """What a manager starts."""

    informers: tuple[Informer, ...]
    controllers: tuple[Controller, ...]


def make_pre_pull(
    client: KubeClient,
    nodes: Informer,
    services: UsesOf,
    causes: tuple[Informer, ...],
    config: Callable[[], Config],
    recorder: EventRecorder,
    *,
    clock: Callable[[], datetime],
    told: Told | None = None,
    own_image: str = "",
    observe: Callable[[Reconciled], None] | None = None,
) -> Parts:
    """Make informers and the controller; nothing is started.

    ``nodes`` and ``causes`` are somebody else's; a change of a cause asks for a reconcile.
    ``own_image`` is the controller's, as far as it is known.
    """
    informers = Informers.of(client, nodes)
    reconciler = Reconciler(
        client,
        informers,
        services,
        config,
        recorder,
        clock=clock,
        told=told,
        own_image=own_image,
    )
    controller = Controller(NAME, reconciler, workers=1, observe=observe)
    for informer in (*informers.own(), nodes, *causes):
        informer.add_handler(lambda _type, _obj: controller.enqueue(KEY))
    return Parts(informers.own(), (controller,))
