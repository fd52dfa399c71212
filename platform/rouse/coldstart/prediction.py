"""What to do about a service's next requests, from all that is known of the former ones."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final

from rouse.coldstart.history import History
from rouse.coldstart.keepalive import Residency, plan_residency
from rouse.coldstart.patterns import Rhythm, Window, next_windows

__all__ = ["LONGEST_KEEP_S", "PRICE_S", "Foresight", "foresee"]

PRICE_S: Final = 850.0
"""How many idle replica-seconds one cold start is worth."""
LONGEST_KEEP_S: Final = 3600.0
"""Knative's longest retention of the last pod."""

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
    begins = history.begins
    if rhythm is None:
        return Foresight(keep, _after(history, plan, now, lead))
    worth = price_s * rhythm.support
    windows = [Window(one.begin - lead, one.end) for one in next_windows(rhythm, begins, now)]
    paying = tuple(one for one in windows if one.end - one.begin <= worth)
    return Foresight(keep, paying, rhythm.period_s)


def _after(history: History, plan: Residency, now: float, lead: float) -> tuple[Window, ...]:
    ended = history.last_end
    if ended is None or plan.until_s <= plan.wake_s:
        return ()
    window = Window(ended + plan.wake_s - lead, ended + plan.until_s)
    return (window,) if window.end > now else ()
