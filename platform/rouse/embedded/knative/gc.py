"""Which old revisions are deleted. Pure."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from datetime import datetime, timedelta

from rouse.embedded.knative import names
from rouse.embedded.knative.conditions import status_of
from rouse.embedded.knative.settings import GcConfig
from rouse.kube.objects import Object

__all__ = ["expired"]


def expired(
    revisions: Sequence[Object], active: Collection[str], config: GcConfig, now: datetime
) -> list[str]:
    """Names of one configuration's revisions to delete, oldest first.

    ``active`` are those that a route or the configuration refers to; they stay, and so do the
    newest ``min_non_active`` others, and any younger than the retention times.
    """
    idle = sorted(
        (one for one in revisions if one["metadata"]["name"] not in active), key=_generation
    )
    gone: list[str] = []
    for index, revision in enumerate(idle):
        left = len(idle) - index
        too_many = config.max_non_active is not None and left > config.max_non_active
        if too_many or (left > config.min_non_active and _stale(revision, config, now)):
            gone.append(revision["metadata"]["name"])
    return gone


def _generation(revision: Object) -> int:
    return int((revision["metadata"].get("labels") or {}).get(names.GENERATION_LABEL, 0))


def _stale(revision: Object, config: GcConfig, now: datetime) -> bool:
    if config.retain_since_create_s is None and config.retain_since_active_s is None:
        return False
    created = _parse(revision["metadata"].get("creationTimestamp"), now)
    conditions = (revision.get("status") or {}).get("conditions") or ()
    if status_of(conditions, "Active")[0] == "True":
        return False
    changed = next((c.get("lastTransitionTime") for c in conditions if c["type"] == "Active"), None)
    return _older(created, config.retain_since_create_s, now) and _older(
        _parse(changed, created), config.retain_since_active_s, now
    )


def _older(moment: datetime, seconds: float | None, now: datetime) -> bool:
    """A retention that is switched off leaves the word to the other."""
    return seconds is None or now - moment > timedelta(seconds=seconds)


def _parse(text: str | None, default: datetime) -> datetime:
    return datetime.fromisoformat(text) if text else default
