"""What is applied of a decision: bounds, initial scale, and the careful steps down to zero.

A revision is *activating* until enough replicas are ready, then *active*; without traffic for the
stable window it becomes *inactive*: the activator is put into its path, and only when that is
confirmed and the grace period is over do its last replicas stop.
"""

from __future__ import annotations

import enum
from dataclasses import dataclass

from rouse.autoscaler.spec import AutoscalerSpec

__all__ = [
    "ACTIVATION_BUFFER_S",
    "PROGRESS_DEADLINE_S",
    "Activity",
    "Facts",
    "Verdict",
    "judge",
]

PROGRESS_DEADLINE_S = 600.0
ACTIVATION_BUFFER_S = 30.0
"""Waited beyond the progress deadline, so that the failure is in the status before its pods go."""


class Activity(enum.Enum):
    """Where a revision is between asleep and serving."""

    ACTIVATING = "activating"
    ACTIVE = "active"
    INACTIVE = "inactive"


@dataclass(frozen=True, slots=True)
class Facts:
    """What is known of a revision at ``now``.

    ``desired`` is the last valid decision, ``None`` before the first; ``since`` is when the
    present activity began; ``initialized`` whether the initial scale was ever reached;
    ``reachable`` whether a route leads here; ``activator_confirmed`` whether the gateway sends
    every request of this revision to the activator.
    """

    now: float
    desired: int | None
    excess_burst_capacity: int
    ready: int
    activity: Activity
    since: float
    initialized: bool
    reachable: bool
    activator_confirmed: bool
    progress_deadline_s: float = PROGRESS_DEADLINE_S


@dataclass(frozen=True, slots=True)
class Verdict:
    """What to do: ``replicas`` to run (``None``: leave them as they are) and who takes requests.

    ``want`` is the scale to report, ``None`` while unknown. ``gave_up`` marks an activation
    that is not waited for any longer.
    """

    want: int | None
    replicas: int | None
    activator_in_path: bool
    activity: Activity
    gave_up: bool = False


def judge(spec: AutoscalerSpec, facts: Facts) -> Verdict:
    """Turn a decision into replicas, a path for requests, and the next activity."""
    given_up = _given_up(facts)
    want = _bounded(spec, facts, give_up=given_up)
    replicas = want
    if want == 0:
        want, replicas = _towards_zero(spec, facts)
    in_path = (
        want == 0
        or facts.excess_burst_capacity < 0
        or (want is None and facts.activity is Activity.INACTIVE)
    )
    return Verdict(
        want=want,
        replicas=replicas,
        activator_in_path=in_path,
        activity=_next_activity(spec, facts, want),
        gave_up=given_up and want == 0,
    )


def needed_to_be_active(spec: AutoscalerSpec, facts: Facts) -> int:
    """Ready replicas from which the revision counts as active."""
    initial = 0 if facts.initialized else spec.initial_scale
    return max(1, _least(spec, facts), initial)


def _given_up(facts: Facts) -> bool:
    """Whether an activation took too long, or a newer revision made its first one pointless."""
    if facts.activity is not Activity.ACTIVATING:
        return False
    superseded = not facts.reachable and not facts.initialized and not facts.desired
    patience = facts.progress_deadline_s + ACTIVATION_BUFFER_S
    return superseded or facts.now - facts.since >= patience


def _least(spec: AutoscalerSpec, facts: Facts) -> int:
    """No minimum is kept for a revision that no route leads to."""
    return spec.min_scale if facts.reachable else 0


def _bounded(spec: AutoscalerSpec, facts: Facts, *, give_up: bool) -> int | None:
    """The decision within minimum, initial scale and maximum; ``None``: nothing to say yet."""
    least = _least(spec, facts)
    if give_up:
        return least
    if not facts.initialized and facts.activity is Activity.ACTIVATING:
        least = max(least, spec.initial_scale)
    if facts.desired is None and (least == 0 or facts.activity is Activity.ACTIVE):
        return None
    scale = max(facts.desired or 0, least)
    return min(scale, spec.max_scale) if spec.max_scale else scale


def _towards_zero(spec: AutoscalerSpec, facts: Facts) -> tuple[int | None, int | None]:
    """(want, replicas) where the bounded decision is zero."""
    if not spec.enable_scale_to_zero:
        return 1, 1
    waited = facts.now - facts.since
    if facts.activity is Activity.ACTIVATING:
        return (0, 0) if _given_up(facts) else (None, None)
    if facts.activity is Activity.ACTIVE:
        return (0, None) if waited >= spec.stable_window_s else (1, 1)
    patience = max(spec.grace_period_s, spec.pod_retention_s)
    return 0, 0 if facts.activator_confirmed and waited >= patience else None


def _next_activity(spec: AutoscalerSpec, facts: Facts, want: int | None) -> Activity:
    if want == 0:
        return Activity.INACTIVE
    if want is None and facts.activity is Activity.INACTIVE:
        return Activity.INACTIVE
    enough = facts.ready >= needed_to_be_active(spec, facts)
    return Activity.ACTIVE if enough else Activity.ACTIVATING
