"""What to do about a service's next requests, from all that is known of the former ones."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

from rouse.coldstart.history import KEPT, History
from rouse.coldstart.idle import IdleHistogram
from rouse.coldstart.keepalive import Residency, plan_residency
from rouse.coldstart.patterns import Rhythm, Window, find_rhythm, next_windows
from rouse.coldstart.simulation import ServicePolicy

__all__ = ["LONGEST_KEEP_S", "PRICE_S", "Foreseen", "Foresight", "foresee"]

PRICE_S: Final = 850.0
"""How many idle replica-seconds one cold start is worth."""
LONGEST_KEEP_S: Final = 3600.0
"""Knative's longest retention of the last pod."""

_ENOUGH: Final = 0.2
"""The share of a history that must be new for it to be looked through again."""
_MARGIN_S: Final = 30.0
"""Beyond how long a start takes: it shall be over when the request comes."""


@dataclass(frozen=True, slots=True)
class Foresight:
    """How long to keep the last replica, and when to wake one, in seconds since the epoch.

    ``windows`` are in order; those that are over are not among them. ``period_s`` is 0 for what
    does not come at regular times.
    """

    keep_s: float
    windows: tuple[Window, ...] = ()
    period_s: float = 0.0


def foresee(
    history: History,
    rhythm: Rhythm | None,
    now: float,
    *,
    price_s: float = PRICE_S,
    start_s: float = 5.0,
) -> Foresight:
    """Foresee a service's requests; ``rhythm`` is what `find_rhythm` found in its begins.

    ``start_s`` is how long it takes to wake.

    A clear period goes before the histogram of idle times, which knows how long ago the last
    request was and not what time it is. A window that costs more than it is worth is left out.
    """
    plan = plan_residency(history.idle(), price_s, start_s=start_s)
    keep = min(plan.keep_s, LONGEST_KEEP_S)
    lead = start_s + _MARGIN_S
    if rhythm is None:
        return Foresight(keep, _after(history, plan, now, lead))
    windows = _worth_it(rhythm, history.begins, now, price_s, lead)
    return Foresight(keep, windows, rhythm.period_s)


@dataclass(frozen=True, slots=True)
class Foreseen:
    """What `foresee` foresees, as a policy to simulate; looked for anew when enough is new."""

    price_s: float = PRICE_S
    start_s: float = 5.0

    def begin(self) -> ServicePolicy:
        """Nothing is known."""
        return _Known(self)


class _Known:
    __slots__ = ("_begins", "_ended", "_idle", "_news", "_plan", "_policy", "_rhythm")

    def __init__(self, policy: Foreseen) -> None:
        self._policy = policy
        self._begins: deque[float] = deque(maxlen=KEPT)
        self._idle = IdleHistogram()
        self._news = 1
        self._ended = 0.0
        self._plan: Residency | None = None
        self._rhythm: Rhythm | None = None

    def after(self, now: float, idle_s: float | None) -> Residency:
        policy, begins = self._policy, self._begins
        begins.append(now if idle_s is None else self._ended + idle_s)
        self._ended = now
        if idle_s is not None:
            self._idle.record(idle_s)
            self._news += 1
        if self._plan is None or self._news > _ENOUGH * len(begins):
            self._plan = plan_residency(self._idle, policy.price_s, start_s=policy.start_s)
            self._rhythm, self._news = find_rhythm(begins, now), 0
        if self._rhythm is None:
            return self._plan
        lead = policy.start_s + _MARGIN_S
        windows = _worth_it(self._rhythm, begins, now, policy.price_s, lead)
        keep = min(self._plan.keep_s, LONGEST_KEEP_S)
        first = next((one for one in windows if one.end - now > keep), None)
        if first is None:
            return Residency(keep)
        return Residency(keep, max(keep, first.begin - now), first.end - now)


def _worth_it(
    rhythm: Rhythm, begins: Sequence[float], now: float, price_s: float, lead: float
) -> tuple[Window, ...]:
    worth = price_s * rhythm.support
    windows = (Window(one.begin - lead, one.end) for one in next_windows(rhythm, begins, now))
    return tuple(one for one in windows if one.end - one.begin <= worth)


def _after(history: History, plan: Residency, now: float, lead: float) -> tuple[Window, ...]:
    ended = history.last_end
    if ended is None or plan.until_s <= plan.wake_s:
        return ()
    window = Window(ended + plan.wake_s - lead, ended + plan.until_s)
    return (window,) if window.end > now else ()
