"""The reconcile of what keeps one InferenceService awake. Level-based; it comes back by itself."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping, Sequence, Set
from dataclasses import dataclass
from datetime import UTC, datetime
from math import ceil
from typing import Any, Final, Protocol

from rouse.api.base import Object
from rouse.api.inferenceservice.annotations import KEEP_ALIVE, WAKE_SCHEDULE
from rouse.api.inferenceservice.schedule import awake_until, next_begin, parse_schedule
from rouse.coldstart.patterns import Window
from rouse.coldstart.prediction import LONGEST_KEEP_S, Foresight
from rouse.compiler.component import PREDICTOR
from rouse.compiler.config import Config
from rouse.compiler.names import COMPONENT_LABEL
from rouse.compiler.pools import pool_of
from rouse.controllers.keepalive.due import Due
from rouse.controllers.keepalive.memory import Memory
from rouse.controllers.keepalive.scaling import annotate, what_scales
from rouse.controllers.keepalive.wanted import Wish, change_of, is_held, retention_of
from rouse.kube.client import KubeClient
from rouse.kube.controller import Requeue
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, key_of, labels_of
from rouse.kube.resources import DEPLOYMENTS, Resource

__all__ = ["NAME", "KeepAlive"]

logger = logging.getLogger(__name__)

NAME: Final = "keepalive"

_ROUTING_LABEL: Final = "serving.knative.dev/routingState"
_STABLE_S: Final = 60.0
"""For so long a revision is active after its last request; its retention begins then."""
_GRACE_S: Final = 30.0
"""Knative keeps the last pod for so long in any case."""
_STEP_S: Final = 30
_MUCH: Final = 0.25
"""A retention that is within a quarter of the one that is set is not written."""
_SOONEST_S, _LATEST_S = 1.0, 3600.0


class _Sources(Protocol):
    """The informers of the controller of InferenceServices that are of use here."""

    @property
    def services(self) -> Informer: ...
    @property
    def owned(self) -> Mapping[Resource, Informer]: ...
    def revisions_of(self, service: Mapping[str, Any]) -> dict[str, Object]: ...


@dataclass(frozen=True, slots=True)
class _Plan:
    """What holds now, times in seconds since the epoch."""

    foresight: Foresight | None = None
    window: Window | None = None
    """The predicted one that has begun."""
    scheduled_until: float | None = None
    next_begin: float | None = None


class KeepAlive:
    """Reconciles one InferenceService by key; ``told(key)`` is called when its status is to change.

    ``clock`` gives the current time in UTC.
    """

    def __init__(
        self,
        client: KubeClient,
        sources: _Sources,
        config: Callable[[], Config],
        *,
        told: Callable[[Key], None],
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._client = client
        self._in = sources
        self._config = config
        self._told = told
        self._clock = clock
        self._memories: dict[Key, Memory] = {}
        self._reports: dict[Key, Object] = {}
        self.due = Due()
        self._held: dict[Key, set[Key]] = {}
        """By InferenceService: revisions that our minimum keeps a pod of."""

    def of(self, key: Key) -> Object | None:
        """Return status.keepAlive of an InferenceService, empty for none; None before a look."""
        return self._reports.get(key)

    def woke(self, key: Key, revision: Mapping[str, Any]) -> bool:
        """Say whether we, and no request, woke a revision of an InferenceService last."""
        memory = self._memories.get(key)
        foreseen = memory is not None and memory.history.is_foreseen
        return foreseen or key_of(revision) in self._held.get(key, ())

    async def __call__(self, key: Key) -> Requeue | None:
        """Learn, foresee, set what differs, and ask to be called when that changes."""
        service = self._in.services.get(key)
        if service is None or service["metadata"].get("deletionTimestamp"):
            self._forget(key)
            return None
        if not self._is_asked(service) and not self._was_asked(key, service):
            self._forget(key)
            self._reports[key] = {}
            return None
        now = self._clock()
        revisions = list(self._in.revisions_of(service).values())
        scaled = {key_of(one): await self._scaling(one) for one in revisions}
        held = {name for name, one in scaled.items() if one is not None and is_held(one)}
        self._held[key] = held
        plan = self._plan(key, service, revisions, held, now)
        for revision in revisions:
            await self._set(revision, scaled[key_of(revision)], plan)
        self._note_due(key, service, revisions, plan)
        self._report(key, plan)
        return _call_again(plan, now.timestamp())

    def _is_asked(self, service: Object) -> bool:
        annotations = service["metadata"].get("annotations") or {}
        return WAKE_SCHEDULE in annotations or self._is_auto(annotations)

    def _was_asked(self, key: Key, service: Object) -> bool:
        """Whether something may be set that is to be taken back."""
        return bool(self._reports.get(key) or (service.get("status") or {}).get("keepAlive"))

    def _forget(self, key: Key) -> None:
        for known in (self._memories, self._reports, self._held):
            known.pop(key, None)
        self.due.note(key, "", None)

    def _is_auto(self, annotations: Mapping[str, str]) -> bool:
        return annotations.get(KEEP_ALIVE, self._config().keep_alive) == "auto"

    async def _scaling(self, revision: Object) -> Object | None:
        return await what_scales(self._client, self._in.owned[DEPLOYMENTS], revision)

    def _plan(
        self,
        key: Key,
        service: Object,
        revisions: Sequence[Object],
        held: Set[Key],
        now: datetime,
    ) -> _Plan:
        annotations = service["metadata"].get("annotations") or {}
        at = now.timestamp()
        foresight = None
        if self._is_auto(annotations):
            memory = self._memories.get(key) or self._memories.setdefault(key, Memory.of(service))
            memory.learn(service, _predictors(revisions), held)
            foresight = memory.foresee(service, at)
        else:
            self._memories.pop(key, None)
        until, begin = _scheduled(annotations.get(WAKE_SCHEDULE), now)
        windows = foresight.windows if foresight else ()
        current = next((one for one in windows if one.begin <= at < one.end), None)
        to_come = [one.begin for one in windows if one.begin > at]
        if begin is not None:
            to_come.append(begin)
        return _Plan(foresight, current, until, min(to_come, default=None))

    async def _set(self, revision: Object, scaled: Object | None, plan: _Plan) -> None:
        if scaled is None:
            return
        wish = _wish(scaled, plan) if _serves(revision) else Wish()
        change = change_of(scaled, wish, asleep=_is_asleep(revision))
        if change:
            await annotate(self._client, scaled, change)
            logger.info("%s %s: set %s", scaled["kind"], key_of(scaled), change)

    def _note_due(
        self, key: Key, service: Object, revisions: Iterable[Object], plan: _Plan
    ) -> None:
        annotations = service["metadata"].get("annotations") or {}
        asleep = [one for one in revisions if _serves(one) and _is_asleep(one)]
        pools = (
            pool_of(
                one["spec"],
                {**annotations, **(one["metadata"].get("annotations") or {})},
                self._config(),
            )
            for one in asleep
        )
        self.due.note(key, next(filter(None, pools), ""), plan.next_begin)

    def _report(self, key: Key, plan: _Plan) -> None:
        report = _told(plan, self._memories.get(key))
        if report != self._reports.get(key):
            self._reports[key] = report
            self._told(key)


def _predictors(revisions: Iterable[Object]) -> list[Object]:
    """Every request goes to a predictor, whatever is before it."""
    return [one for one in revisions if labels_of(one).get(COMPONENT_LABEL) == PREDICTOR]


def _serves(revision: Object) -> bool:
    return labels_of(revision).get(_ROUTING_LABEL) == "active"


def _is_asleep(revision: Object) -> bool:
    return not (revision.get("status") or {}).get("actualReplicas")


def _scheduled(text: str | None, now: datetime) -> tuple[float | None, float | None]:
    """Until when a schedule wants it awake, and when next."""
    try:
        lines = parse_schedule(text) if text is not None else ()
    except ValueError:
        # Admission refuses it; where it was not asked, a schedule nobody can read asks for nothing.
        return None, None
    until, begin = awake_until(lines, now), next_begin(lines, now)
    return until.timestamp() if until else None, begin.timestamp() if begin else None


def _wish(scaled: Object, plan: _Plan) -> Wish:
    hold = plan.scheduled_until is not None
    if plan.foresight is None:
        return Wish(hold)
    keep = _retention(plan.foresight.keep_s - _STABLE_S)
    if plan.window is not None:
        keep = max(keep, _retention(plan.window.end - plan.window.begin))
        return Wish(hold, wake=True, retention_s=keep)
    before = retention_of(scaled)
    if keep and abs(before - keep) <= _MUCH * before:
        keep = before
    return Wish(hold, retention_s=keep)


def _retention(seconds: float) -> int:
    """In steps, and no more than Knative takes; 0 for what it keeps anyway."""
    if seconds <= _GRACE_S:
        return 0
    return int(min(LONGEST_KEEP_S, ceil(seconds / _STEP_S) * _STEP_S))


def _told(plan: _Plan, memory: Memory | None) -> Object:
    seen = plan.foresight
    awake = [plan.scheduled_until, plan.window.end if plan.window else None]
    until = max((one for one in awake if one is not None), default=None)
    report: Object = {
        "retentionSeconds": _retention(seen.keep_s - _STABLE_S) if seen else 0,
        "periodSeconds": round(seen.period_s) if seen else 0,
        "nextWake": _time(plan.next_begin),
        "awakeUntil": _time(until),
        "history": memory.history.text() if memory else "",
    }
    return {name: value for name, value in report.items() if value}


def _time(seconds: float | None) -> str:
    if seconds is None:
        return ""
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _call_again(plan: _Plan, now: float) -> Requeue | None:
    window_end = plan.window.end if plan.window else None
    changes = [plan.next_begin, plan.scheduled_until, window_end]
    soonest = min((one for one in changes if one is not None), default=None)
    if soonest is None:
        return Requeue(_LATEST_S) if plan.foresight else None
    return Requeue(min(_LATEST_S, max(_SOONEST_S, soonest - now)))
