"""What was seen of an InferenceService and its objects, as the compiler takes it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from rouse.api.base import Object

__all__ = ["Observed", "contains", "settled"]


@dataclass(frozen=True, slots=True)
class Observed:
    """Live objects of one InferenceService; nothing of them is changed."""

    knative_services: Mapping[str, Object] = field(default_factory=dict)
    """By name."""
    revisions: Mapping[str, Object] = field(default_factory=dict)
    """Of those Knative Services, by name."""
    deployments: Mapping[str, Object] = field(default_factory=dict)
    """Of the mode Standard, by name."""
    pods: Sequence[Object] = ()
    """Of both modes, as far as their metadata and status go."""
    activations: Sequence[Object] = ()
    """Wake-ups that were put together from pods, as records of status.coldStart.recent; in the mode
    Standard other starts too, with their ``cause``."""
    keep_alive: Object | None = None
    """As status.keepAlive is to be, empty for none; None: not known yet, it stays as it was."""
    virtual_service: Object | None = None
    previous_status: Mapping[str, Any] = field(default_factory=dict)
    """The InferenceService's own status as it was written last."""


def contains(live: Any, wanted: Any) -> bool:
    """Whether everything wanted is in the live value; what a server added is left aside."""
    if isinstance(wanted, Mapping):
        return isinstance(live, Mapping) and all(
            key in live and contains(live[key], value) for key, value in wanted.items()
        )
    if isinstance(wanted, list):
        return (
            isinstance(live, list) and len(live) == len(wanted) and all(map(contains, live, wanted))
        )
    return bool(live == wanted)


def settled(live: Mapping[str, Any]) -> bool:
    """Whether the status of the live object was written after its last change."""
    generation: int = live.get("metadata", {}).get("generation", 0)
    seen: int = (live.get("status") or {}).get("observedGeneration", 0)
    return seen >= generation
