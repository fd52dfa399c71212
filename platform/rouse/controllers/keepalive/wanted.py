"""The annotations that what scales a revision is to have from us. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

from rouse.api.base import Strings
from rouse.autoscaler.annotations import PREFIX
from rouse.controllers.keepalive.fields import owned_annotations

__all__ = ["MIN_SCALE", "RETENTION", "Wish", "change_of", "is_held", "retention_of"]

MIN_SCALE: Final = f"{PREFIX}min-scale"
RETENTION: Final = f"{PREFIX}scale-to-zero-pod-retention-period"
_FORMER_MIN_SCALE: Final = f"{PREFIX}minScale"
_FORMER_RETENTION: Final = f"{PREFIX}scaleToZeroPodRetentionPeriod"


@dataclass(frozen=True, slots=True)
class Wish:
    """What is wanted of a revision for now.

    ``hold``: it is to have a pod. ``wake``: it is to have had one, which ``retention_s`` then
    keeps. 0 seconds: as Knative has it.
    """

    hold: bool = False
    wake: bool = False
    retention_s: int = 0


def change_of(scaled: Mapping[str, Any], wish: Wish, *, asleep: bool) -> dict[str, str | None]:
    """Return the annotations that are to be set, None for those to be taken away; empty: none.

    ``scaled`` is what scales the revision, ``asleep`` whether that has no pod.

    What somebody else set is theirs: a minimum above zero, and any retention. A pod that waits
    for its first request is kept by the retention, not by the minimum, so that the revision is
    seen to fall idle, and what then wakes it is a request.
    """
    live: Mapping[str, str] = scaled["metadata"].get("annotations") or {}
    ours = owned_annotations(scaled)
    wanted: Strings = {}
    if not _has_minimum(live, ours):
        free = RETENTION in ours or not live.keys() & {RETENTION, _FORMER_RETENTION}
        up = wish.hold or (wish.wake and (asleep or not free))
        if up or MIN_SCALE in ours:
            wanted[MIN_SCALE] = "1" if up else "0"
        if free and wish.retention_s:
            wanted[RETENTION] = f"{wish.retention_s}s"
    changed = {name: value for name, value in wanted.items() if live.get(name) != value}
    return {**changed, **dict.fromkeys(ours - wanted.keys())}


def is_held(scaled: Mapping[str, Any]) -> bool:
    """Return whether our minimum keeps a pod of it now."""
    minimum = (scaled["metadata"].get("annotations") or {}).get(MIN_SCALE, "0")
    return minimum != "0" and MIN_SCALE in owned_annotations(scaled)


def retention_of(scaled: Mapping[str, Any]) -> int:
    """Return the retention that we set, in seconds; 0 where we did not."""
    text = (scaled["metadata"].get("annotations") or {}).get(RETENTION, "")
    number = text.removesuffix("s")
    return int(number) if RETENTION in owned_annotations(scaled) and number.isdecimal() else 0


def _has_minimum(live: Mapping[str, str], ours: frozenset[str]) -> bool:
    """Whether somebody else keeps pods of it anyway."""
    if MIN_SCALE in ours:
        return False
    return live.get(MIN_SCALE, live.get(_FORMER_MIN_SCALE, "0")) != "0"
