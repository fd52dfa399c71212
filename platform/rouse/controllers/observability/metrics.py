"""The metrics of a controller process: counted as things happen, or read when they are asked for.

docs/controllers.md lists them; a test keeps the list in step.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial

from rouse.coldstart.residency import Placement
from rouse.controllers.observability.coldstarts import ColdStartMetrics
from rouse.daemon.process import process_families
from rouse.daemon.registry import Family, Histogram, render
from rouse.kube.client import ApiCall
from rouse.kube.controller import Controller, Reconciled
from rouse.kube.informer import Informer
from rouse.kube.manager import Manager

__all__ = ["Metrics"]


class Metrics:
    """What is counted in this process, and how it is written down.

    ``clock`` is the event loop's time, that of `Informer.heard_at`.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self.manager: Manager | None = None
        """What runs, while something does."""
        self.is_leader: Callable[[], bool] = bool
        self.reconciles = Family(
            "counter", "rouse_reconcile_total", "Reconciles by result.", ("controller", "result")
        )
        self.errors = Family(
            "counter",
            "rouse_reconcile_errors_total",
            "Reconciles that failed, by the API's reason or the kind of error.",
            ("controller", "reason"),
        )
        self.reconcile_seconds = Histogram(
            "rouse_reconcile_seconds", "How long reconciles take.", ("controller",)
        )
        self.wait_seconds = Histogram(
            "rouse_workqueue_wait_seconds", "How long keys are in line.", ("controller",)
        )
        self.cold_starts = ColdStartMetrics()
        self.requests = Family(
            "counter",
            "rouse_api_requests_total",
            "Requests to the Kubernetes API; code 0: no answer came.",
            ("verb", "code"),
        )
        self.request_seconds = Histogram(
            "rouse_api_request_seconds",
            "How long the Kubernetes API takes; of a watch, until it begins.",
            ("verb",),
        )

        self.balloons = Family(
            "gauge",
            "rouse_balloons",
            "Balloons of a node pool: wanted, and those that hold a place (ready).",
            ("pool", "state"),
        )

        self.standby = Family(
            "counter",
            "rouse_standby_handovers_total",
            "Standby pods that became a replica (taken), or were given up (failed).",
            ("result",),
        )
        self.pre_pull = Family(
            "gauge",
            "rouse_prepull_nodes",
            "Nodes of a pool by how far an image is on them: present, pulling, failed.",
            ("pool", "image", "state"),
        )
        self.residency_copies = Family(
            "gauge", "rouse_residency_copies", "Copies of models that nodes are to keep on demand."
        )
        self.residency_unplaced = Family(
            "gauge", "rouse_residency_unplaced", "Models on demand that no node keeps."
        )
        self.residency_moves = Family(
            "counter", "rouse_residency_moves_total", "Copies that came, went, or did both."
        )
        self._pre_pulled: dict[str, Mapping[str, Mapping[str, int]]] = {}

    def pre_pulled(self, pool: str, images: Mapping[str, Mapping[str, int]]) -> None:
        """Note on how many nodes of a pool each image is in each state; others are forgotten."""
        for image, states in self._pre_pulled.pop(pool, {}).items():
            for state in states:
                self.pre_pull.drop(pool, image, state)
        self._pre_pulled[pool] = images
        for image, states in images.items():
            for state, number in states.items():
                self.pre_pull.set(number, pool, image, state)

    def planned(self, plan: Placement) -> None:
        """Note where the models are to be that nodes keep on demand."""
        self.residency_copies.set(sum(map(len, plan.on.values())))
        self.residency_unplaced.set(len(plan.unplaced))
        self.residency_moves.add(by=len(plan.moves))

    def ballooned(self, pool: str, wanted: int, ready: int) -> None:
        """Note how many balloons a pool is to have, and how many hold a place."""
        self.balloons.set(wanted, pool, "wanted")
        self.balloons.set(ready, pool, "ready")

    def handed_over(self, result: str) -> None:
        """Count a standby pod that was taken, or failed."""
        self.standby.add(result)

    def called(self, call: ApiCall) -> None:
        """Count a request to the API."""
        self.requests.add(call.verb, str(call.code))
        self.request_seconds.observe(call.seconds, call.verb)

    def reconciled(self, done: Reconciled) -> None:
        """Count a reconcile."""
        self.reconciles.add(done.controller, done.outcome.value)
        self.reconcile_seconds.observe(done.seconds, done.controller)
        if done.reason:
            self.errors.add(done.controller, done.reason)

    def waited(self, controller: str) -> Callable[[float], None]:
        """Return what counts the seconds a key of this controller was in line."""

        def observe(seconds: float) -> None:
            self.wait_seconds.observe(seconds, controller)

        return observe

    def render(self, *, openmetrics: bool = False) -> str:
        """Return all metrics as Prometheus reads them, or with exemplars as OpenMetrics."""
        manager = self.manager
        leader = Family("gauge", "rouse_leader", "1 while this process may write, else 0.")
        leader.set(float(self.is_leader()))
        dropped = Family("counter", "rouse_events_dropped_total", "Events that were not written.")
        dropped.set(manager.events_dropped if manager else 0)
        return render(
            [
                leader,
                *_queues(manager.controllers if manager else ()),
                self.wait_seconds,
                self.reconciles,
                self.errors,
                self.reconcile_seconds,
                self.requests,
                self.request_seconds,
                self.balloons,
                self.standby,
                self.pre_pull,
                self.residency_copies,
                self.residency_unplaced,
                self.residency_moves,
                *_informers(manager.informers if manager else (), self._clock()),
                dropped,
                *self.cold_starts.families(),
                *process_families(),
            ],
            openmetrics=openmetrics,
        )


def _queues(controllers: tuple[Controller, ...]) -> tuple[Family, ...]:
    labels = ("controller",)
    depth = Family("gauge", "rouse_workqueue_depth", "Keys in line.", labels)
    delayed = Family(
        "gauge", "rouse_workqueue_delayed", "Keys that wait for a time, such as a backoff.", labels
    )
    working = Family("gauge", "rouse_reconcile_running", "Reconciles under way.", labels)
    adds = Family("counter", "rouse_workqueue_adds_total", "Keys put in line.", labels)
    retries = Family("counter", "rouse_workqueue_retries_total", "Keys put back.", labels)
    for one in controllers:
        depth.set(len(one.queue), one.name)
        delayed.set(one.queue.delayed, one.name)
        working.set(one.queue.working, one.name)
        adds.set(one.queue.adds, one.name)
        retries.set(one.queue.retries, one.name)
    return depth, delayed, working, adds, retries


def _informers(informers: tuple[Informer, ...], now: float) -> tuple[Family, ...]:
    made = partial(Family, labels=("resource",))
    objects = made("gauge", "rouse_informer_objects", "Objects in the copy.")
    synced = made("gauge", "rouse_informer_synced", "1 once the first list is in.")
    silence = made(
        "gauge",
        "rouse_informer_silence_seconds",
        "Since the API last said something, a bookmark at least every minute or so.",
    )
    lists = made("counter", "rouse_informer_lists_total", "How often all was listed.")
    errors = made("counter", "rouse_informer_errors_total", "Lists and watches that failed.")
    # ConfigMaps are followed one by one, and what is made by its owner's kind: together the
    # informers of a resource are one, that of the worst.
    missing = {str(one.resource) for one in informers if not one.is_synced}
    quiet: dict[str, float] = {}
    for one in informers:
        name = str(one.resource)
        objects.add(name, by=len(one))
        lists.add(name, by=one.lists)
        errors.add(name, by=one.errors)
        synced.set(float(name not in missing), name)
        if one.heard_at is not None:
            quiet[name] = max(quiet.get(name, 0.0), now - one.heard_at)
    for name, seconds in quiet.items():
        silence.set(seconds, name)
    return objects, synced, silence, lists, errors
