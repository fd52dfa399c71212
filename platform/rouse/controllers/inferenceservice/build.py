"""Puts the controller of InferenceServices together, and that of what their nodes hold ready."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from functools import partial
from typing import Final

from rouse.coldstart.residency import Placement
from rouse.controllers import balloons, keepalive
from rouse.controllers.coldstart import Ask, Gatherer, Traces, ask_server
from rouse.controllers.inferencegraph import make_graphs
from rouse.controllers.inferenceservice.images import image_of, used
from rouse.controllers.inferenceservice.reconciler import ColdStartObserver, Reconciler
from rouse.controllers.inferenceservice.settings import Settings
from rouse.controllers.inferenceservice.sources import Sources
from rouse.controllers.inferenceservice.triggers import connect_triggers, connect_wake_ups
from rouse.controllers.localmodel import make_local_models
from rouse.controllers.prepull.build import make_pre_pull
from rouse.controllers.prepull.reconciler import Told
from rouse.controllers.standby import make_standby
from rouse.kube.client import KubeClient
from rouse.kube.controller import Controller, Reconciled
from rouse.kube.events import EventRecorder
from rouse.kube.manager import Manager
from rouse.kube.resources import DEPLOYMENTS

__all__ = ["COMPONENT", "NAME", "make_manager"]

COMPONENT: Final = "rouse-controller"
NAME: Final = "inferenceservice"


def make_manager(
    client: KubeClient,
    *,
    workers: int = 8,
    observe: Callable[[Reconciled], None] | None = None,
    waited: Callable[[str], Callable[[float], None]] | None = None,
    told_balloons: balloons.Told | None = None,
    told_standby: Callable[[str], None] | None = None,
    told_pre_pull: Told | None = None,
    told_plan: Callable[[Placement], None] | None = None,
    cold_start_observer: ColdStartObserver | None = None,
    ask: Ask = ask_server,
    own_image: str = "",
    clock: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Manager:
    """Make the informers, the controller and the recorder; nothing is started.

    ``waited`` makes, for a controller's name, what is told the seconds a key was in line;
    ``told_standby`` is told how hand-overs went,
    ``told_balloons`` how the balloons of a pool do, ``told_pre_pull`` its images,
    ``told_plan`` of every new plan of which nodes keep which models,
    ``cold_start_observer`` of every wake-up; ``ask`` asks a model server how its start went;
    ``own_image`` is what this process runs, as far as it is known.
    """
    sources = Sources.of(client)
    recorder = EventRecorder(client, COMPONENT, clock=lambda: clock().timestamp())
    settings = Settings(sources, recorder)
    traces = Traces.of(client)
    awake = keepalive.KeepAlive(
        client,
        sources,
        lambda: settings.config,
        told=lambda key: controller.enqueue(key),
        clock=clock,
    )
    gatherer = Gatherer(
        sources,
        traces,
        ask,
        told=lambda key: controller.enqueue(key),
        foreseen=awake.woke,
    )
    reconciler = Reconciler(
        client,
        sources,
        settings,
        recorder,
        activations=gatherer.of,
        keep_alive=awake.of,
        observer=cold_start_observer,
        clock=clock,
    )
    controller = Controller(
        NAME,
        reconciler,
        workers=workers,
        observe=observe,
        waited=waited(NAME) if waited else None,
    )
    # After the settings' own handlers, so that a reconcile sees the settings that caused it.
    connect_triggers(sources, controller.enqueue)
    cold_starts = Controller("coldstart", gatherer.reconcile, workers=2, observe=observe)
    gatherer.connect(cold_starts.enqueue)
    awaking = Controller(keepalive.NAME, awake, workers=2, observe=observe)
    connect_wake_ups(sources, awaking.enqueue)
    graphs = make_graphs(
        client,
        sources.services,
        sources.policies,
        (sources.config, sources.kserve_config),
        lambda: settings.config,
        recorder,
        clock=clock,
        observe=observe,
        waited=waited,
    )
    held = balloons.balloon_informer(client)
    places = balloons.Reconciler(
        client,
        held,
        lambda: settings.config,
        told_balloons,
        expected=lambda pool: awake.due.expected(pool, clock().timestamp()),
    )
    pools = Controller("balloons", places, workers=1, observe=observe)
    for informer in (held, sources.config, sources.kserve_config):
        informer.add_handler(lambda _type, _obj: pools.enqueue(balloons.KEY))
    local = make_local_models(
        client,
        sources.services,
        sources.pods,
        partial(image_of, sources),
        lambda: settings.config,
        recorder,
        clock=clock,
        told_plan=told_plan,
        observe=observe,
        waited=waited,
    )
    pulled = make_pre_pull(
        client,
        local.nodes,
        partial(used, sources),
        (sources.services, sources.revisions, sources.config, sources.kserve_config),
        lambda: settings.config,
        recorder,
        clock=clock,
        told=told_pre_pull,
        own_image=own_image,
        observe=observe,
    )
    standby = make_standby(
        client,
        sources.services,
        sources.owned[DEPLOYMENTS],
        sources.storage_containers,
        sources.config,
        lambda: settings.config,
        recorder,
        observe=observe,
        told=told_standby,
    )
    return Manager(
        informers=[
            *sources.all(),
            *traces.all(),
            *graphs.informers,
            held,
            *local.informers,
            *standby.informers,
            *pulled.informers,
        ],
        controllers=[
            controller,
            graphs.controller,
            cold_starts,
            awaking,
            pools,
            *local.controllers,
            *pulled.controllers,
            *standby.controllers,
        ],
        recorder=recorder,
    )
