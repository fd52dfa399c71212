"""What is known of one service between two reconciles."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Set
from datetime import datetime
from typing import Any, Final, Self

from rouse.api.inferenceservice.lifecycle import condition_of
from rouse.autoscaler.annotations import PREFIX
from rouse.autoscaler.durations import parse_duration
from rouse.coldstart.history import History
from rouse.coldstart.patterns import Rhythm, find_rhythm
from rouse.coldstart.prediction import Foresight, foresee
from rouse.kube.objects import Key, key_of

__all__ = ["Memory"]

_STABLE_S: Final = 60.0
_WINDOW: Final = f"{PREFIX}window"
_START_S: Final = 5.0
_TOGETHER_S: Final = 2.0


class Memory:
    """The history of a service, and its rhythm, which is looked for when something began."""

    def __init__(self, history: History) -> None:
        self.history = history
        self._rhythm: Rhythm | None = None
        self._looked_at: list[float] = []

    @classmethod
    def of(cls, service: Mapping[str, Any]) -> Self:
        """Go on where the status says that the controller before was."""
        told = (service.get("status") or {}).get("keepAlive") or {}
        return cls(History.of(str(told.get("history", ""))))

    def learn(
        self,
        service: Mapping[str, Any],
        revisions: Iterable[Mapping[str, Any]],
        held: Set[Key] = frozenset(),
    ) -> None:
        """Take in the measured wake-ups, and what the revisions of the predictor say.

        ``held`` are those that we keep a pod of.
        """
        for record in _cold_starts(service).get("recent") or ():
            began = _seconds(record.get("time"))
            if began is not None:
                self.history.note(began)
        self._observe(list(revisions), held)

    def foresee(self, service: Mapping[str, Any], now: float) -> Foresight:
        """Foresee its requests, as seconds since the epoch."""
        begins = self.history.begins
        if begins != self._looked_at:
            self._rhythm = find_rhythm(begins, now)
            self._looked_at = begins
        start_ms = _cold_starts(service).get("p95Ms")
        start_s = float(start_ms) / 1000 if start_ms else _START_S
        return foresee(self.history, self._rhythm, now, start_s=start_s)

    def _observe(self, revisions: list[Mapping[str, Any]], held: Set[Key]) -> None:
        """The service is active while one of its revisions is."""
        states = [(one, condition_of(one, "Active")) for one in revisions]
        active = [(one, c) for one, c in states if c.get("status") == "True"]
        if active:
            began = [s for _, c in active if (s := _seconds(c.get("lastTransitionTime")))]
            foreseen = all(key_of(one) in held or _is_first(one, c) for one, c in active)
            if began:
                self.history.observe(active=True, since=min(began), foreseen=foreseen)
        elif states and all(c.get("status") == "False" for _, c in states):
            ended = [(s, one) for one, c in states if (s := _seconds(c.get("lastTransitionTime")))]
            if ended:
                since, last = max(ended, key=lambda each: each[0])
                self.history.observe(active=False, since=since, stable_s=_stable_s(last))


def _cold_starts(service: Mapping[str, Any]) -> Mapping[str, Any]:
    found: Mapping[str, Any] = (service.get("status") or {}).get("coldStart") or {}
    return found


def _is_first(revision: Mapping[str, Any], active: Mapping[str, Any]) -> bool:
    """Whether it started because it was made: it became ready then, and stays so when it sleeps."""
    ready = condition_of(revision, "Ready")
    since, served = (_seconds(one.get("lastTransitionTime")) for one in (active, ready))
    return since is not None and served is not None and abs(served - since) <= _TOGETHER_S


def _stable_s(revision: Mapping[str, Any]) -> float:
    try:
        return parse_duration((revision["metadata"].get("annotations") or {})[_WINDOW])
    except (KeyError, ValueError):
        return _STABLE_S


def _seconds(text: object) -> float | None:
    try:
        return datetime.fromisoformat(str(text)).timestamp()
    except ValueError:
        return None
