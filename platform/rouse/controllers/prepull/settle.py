"""When the images of a pool may change: each change starts the pods of its DaemonSet anew. Pure.

What services want changes with each that comes or goes. The first images go to the nodes at once,
later ones when the last change is some time past. When that was is written on the DaemonSet, so
that a controller that starts anew goes on from there.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from rouse.coldstart.gather import time_of
from rouse.controllers.prepull.daemonset import CHANGED, images_of

__all__ = ["Settled", "settle"]


@dataclass(frozen=True, slots=True)
class Settled:
    """What a pool gets for now."""

    images: tuple[str, ...]
    """Empty: its DaemonSet goes."""
    changed: datetime
    """When they became these."""
    rest_s: float = 0.0
    """Seconds until they may become others that are wanted; 0: nothing else is."""


def settle(
    live: Mapping[str, Any] | None,
    wanted: Sequence[str],
    urgent: Collection[str],
    now: datetime,
    settle_s: float,
) -> Settled:
    """Return the images of a pool, of which ``wanted`` are those that services ask for now.

    ``live`` is its DaemonSet. One of ``urgent`` that it lacks is not waited with, and takes all
    other changes along.
    """
    present = images_of(live) if live is not None else []
    if live is None or not present:
        return Settled(tuple(wanted), now)
    changed = _changed(live) or now
    if list(wanted) == present:
        return Settled(tuple(wanted), changed)
    # A clock that was set back must not hold anything for longer.
    rest = settle_s - max(0.0, (now - changed).total_seconds())
    missing = set(wanted) - set(present)
    if rest <= 0 or missing.intersection(urgent):
        return Settled(tuple(wanted), now)
    return Settled(tuple(present), changed, rest)


def _changed(live: Mapping[str, Any]) -> datetime | None:
    metadata = live["metadata"]
    told = time_of((metadata.get("annotations") or {}).get(CHANGED))
    found = told or time_of(metadata.get("creationTimestamp"))
    return found.astimezone(UTC) if found is not None else None
