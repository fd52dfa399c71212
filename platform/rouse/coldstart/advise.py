"""Settings that would suit a service better, from what its wake-ups cost and when they came."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

from rouse.api.inferenceservice.annotations import KEEP_ALIVE
from rouse.api.inferenceservice.logger import duration_s
from rouse.api.inferenceservice.modes import STANDARD
from rouse.coldstart.history import History
from rouse.coldstart.ledger import ServiceLedger
from rouse.coldstart.prediction import PRICE_S, Foreseen
from rouse.coldstart.simulation import Fixed, Outcome, Policy, simulate

__all__ = ["ACTIVATION_SCALE", "MODEL_CACHE", "RETENTION", "Proposal", "propose"]

RETENTION: Final = "autoscaling.knative.dev/scale-to-zero-pod-retention-period"
ACTIVATION_SCALE: Final = "autoscaling.knative.dev/activation-scale"
MODEL_CACHE: Final = "rouse.dev/model-cache"

_DAY_S: Final = 86_400.0
_STABLE_S: Final = 60.0
_GRACE_S: Final = 30.0
_RETENTIONS_S: Final = (300, 600, 1200, 1800, 3600)
_LEAST_SPELLS: Final = 5
_LEAST_GAIN: Final = 0.1
"""Of what the wake-ups and the idle time cost now; less is not worth a change."""
_FETCHING: Final = 0.2
_QUEUING: Final = 0.5
"""Shares of a typical wake-up from which on something is done about the phase."""
_MORE: Final = 2


@dataclass(frozen=True, slots=True)
class Proposal:
    """One setting. Savings are per day; ``replica_h`` is above zero where it costs some."""

    setting: str
    """An annotation, or a field of spec.predictor."""
    now: str
    value: str | int
    saves_s: float
    """Seconds that callers wait less."""
    replica_h: float
    """Replica-hours idle."""
    why: str

    @property
    def is_annotation(self) -> bool:
        """Whether it is one; else a field."""
        return "/" in self.setting


def propose(
    service: Mapping[str, Any], until_s: float, *, price_s: float = PRICE_S
) -> list[Proposal]:
    """Return what to change of an InferenceService, the most saving first; empty: nothing.

    ``until_s`` is the time in seconds since the epoch up to which its history goes, ``price_s`` how
    many idle replica-seconds one cold start is worth. Nothing is proposed without a measurement,
    and in the mode Standard nothing that only Knative would follow.
    """
    ledger = ServiceLedger.of(service)
    if ledger is None:
        return []
    found = [*_keeping(service, ledger, until_s, price_s), *_waking(service, ledger, until_s)]
    if (service.get("status") or {}).get("deploymentMode") == STANDARD:
        found = [each for each in found if each.setting == MODEL_CACHE]
    return sorted(found, key=lambda one: -one.saves_s)


def _keeping(
    service: Mapping[str, Any], ledger: ServiceLedger, until_s: float, price_s: float
) -> Iterator[Proposal]:
    """Compare ways to keep it on its own history, and yield the one of least cost."""
    history = _history(service, ledger)
    spells = history.spells
    predictor, annotations = _predictor(service), _annotations(service)
    if predictor.get("minReplicas") or len(spells) < _LEAST_SPELLS or until_s <= spells[0][0]:
        return
    days = (until_s - spells[0][0]) / _DAY_S

    def run(policy: Policy) -> Outcome:
        return simulate([spells], policy, until_s)

    keeps = annotations.get(KEEP_ALIVE) == "auto"
    now_s = _retention_s(annotations)
    before = run(Foreseen(price_s) if keeps else Fixed(_STABLE_S + max(_GRACE_S, now_s)))
    ways: list[tuple[str, str, str | int, Outcome]] = [
        ("minReplicas", "0", 1, Outcome(len(spells), 0, _idle_s(spells, until_s))),
    ]
    if not keeps:
        ways.append((KEEP_ALIVE, annotations.get(KEEP_ALIVE, "-"), "auto", run(Foreseen(price_s))))
        shown = annotations.get(RETENTION, "-")
        ways += [
            (RETENTION, shown, f"{seconds}s", run(Fixed(_STABLE_S + seconds)))
            for seconds in _RETENTIONS_S
        ]
    setting, shown, value, after = min(ways, key=lambda way: way[3].cost(1.0, price_s))
    cost = before.cost(1.0, price_s)
    if cost - after.cost(1.0, price_s) < _LEAST_GAIN * cost:
        return
    fewer = before.cold_starts - after.cold_starts
    yield Proposal(
        setting,
        shown,
        value,
        saves_s=fewer * ledger.p50_s / days,
        replica_h=(after.idle_s - before.idle_s) / 3600 / days,
        why=f"{after.cold_starts} cold starts in {days:.1f} days instead of {before.cold_starts}",
    )


def _waking(
    service: Mapping[str, Any], ledger: ServiceLedger, until_s: float
) -> Iterator[Proposal]:
    """What makes a wake-up itself shorter."""
    typical, annotations = ledger.typical(), _annotations(service)
    whole = sum(typical.values())
    since = ledger.since.timestamp()
    daily = ledger.count / max(1.0, (until_s - since) / _DAY_S)
    fetch, queue = typical.get("fetch", 0.0), typical.get("queue", 0.0)
    if whole and fetch >= _FETCHING * whole and MODEL_CACHE not in annotations:
        why = f"fetching the model takes {fetch / whole:.0%} of a wake-up"
        yield Proposal(MODEL_CACHE, "-", "demand", fetch * daily, 0.0, why)
    predictor = _predictor(service)
    limit, most = predictor.get("containerConcurrency") or 0, predictor.get("maxReplicas") or 0
    if not whole or not limit or queue < _QUEUING * whole or ACTIVATION_SCALE in annotations:
        return
    why = f"who calls first waits in line for {queue / whole:.0%} of a wake-up"
    if most == 1:
        yield Proposal(
            "containerConcurrency",
            str(limit),
            _MORE * limit,
            queue * daily * (1 - 1 / _MORE),
            0.0,
            f"{why}, and there is one replica only",
        )
    else:
        extra_h = daily * (_STABLE_S + _GRACE_S) * (_MORE - 1) / 3600
        saved = queue * daily * (1 - 1 / _MORE)
        yield Proposal(ACTIVATION_SCALE, "-", str(_MORE), saved, extra_h, why)


def _history(service: Mapping[str, Any], ledger: ServiceLedger) -> History:
    told = (service.get("status") or {}).get("keepAlive") or {}
    history = History.of(str(told.get("history", "")))
    for one in ledger.recent:
        history.note(one.began.timestamp())
    return history


def _idle_s(spells: list[tuple[float, float]], until_s: float) -> float:
    busy = sum(end - begin for begin, end in spells)
    return max(0.0, until_s - spells[0][0] - busy)


def _retention_s(annotations: Mapping[str, str]) -> float:
    return duration_s(annotations.get(RETENTION, "")) or 0.0


def _annotations(service: Mapping[str, Any]) -> Mapping[str, str]:
    found: Mapping[str, str] = service["metadata"].get("annotations") or {}
    return found


def _predictor(service: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (service.get("spec") or {}).get("predictor") or {}
    return found
