"""Which revision gets how many requests: canary, promotion, roll back.

Promotion and roll back are decisions about revisions that were observed. What was observed may be
older than the spec (a canary and a new model are often applied together), so a revision is known by
the template it was made of, never by its number.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from rouse.api.base import Object
from rouse.compiler.names import TEMPLATE_HASH

__all__ = [
    "LATEST_TAG",
    "PREVIOUS_TAG",
    "Rollout",
    "Share",
    "decide_rollout",
    "is_pending",
    "make_traffic",
]

LATEST_TAG = "latest"
PREVIOUS_TAG = "prev"


@dataclass(frozen=True, slots=True)
class Share:
    """A revision and its percent of the requests."""

    revision: str
    percent: int


@dataclass(frozen=True, slots=True)
class Rollout:
    """Where a component's revisions stand; a name is empty where there is no such revision."""

    latest_created: str = ""
    latest_ready: str = ""
    rolled_out: str = ""
    """The last revision that had all requests."""
    previous: str = ""
    """The one that had them before."""
    shares: tuple[Share, ...] = ()
    """Percents above 0, that of the latest revision first; they sum to 100. Empty until a revision
    is ready."""
    percent: int = 100
    """Of the latest revision in the Knative Service's own split."""
    waits: bool = False
    """Whether the latest revision gets nothing yet because another component's is not ready."""

    @property
    def split(self) -> bool:
        """Whether there are two revisions to choose from, whatever their percents."""
        return bool(self.shares) and self.rolled_out not in ("", self.latest_ready)


def decide_rollout(
    canary: int | None,
    *,
    knative_service: Mapping[str, Any] | None,
    revisions: Mapping[str, Object],
    previous_status: Mapping[str, Any],
    template_hash: str,
    reopens: bool = True,
    waits: bool = False,
) -> Rollout:
    """Return the rollout after this observation.

    ``canary`` is canaryTrafficPercent, ``previous_status`` the component's last status,
    ``template_hash`` that of the template wanted now. ``reopens``: a percent below 100 for a
    revision that has all requests means back to the one before. ``waits``: another component's
    revision is not ready, so a revision that has no requests yet gets none.
    """
    status = (knative_service or {}).get("status") or {}
    created = status.get("latestCreatedRevisionName", "")
    ready = status.get("latestReadyRevisionName", "")

    def still_there(field: str) -> str:
        name: str = previous_status.get(field, "")
        return name if name in revisions or name == ready else ""

    rolled_out = still_there("latestRolledoutRevision")
    previous = still_there("previousRolledoutRevision")
    percent = 100 if canary is None or not rolled_out else canary
    if not ready:
        return Rollout(created, ready, rolled_out, previous, (), percent)
    if waits and rolled_out not in ("", ready) and not _has_requests(previous_status, ready):
        only = (Share(rolled_out, 100),)
        return Rollout(created, ready, rolled_out, previous, only, 0, waits=True)
    if percent == 100:
        if rolled_out != ready:
            rolled_out, previous = ready, rolled_out or previous
        return Rollout(created, ready, rolled_out, previous, (Share(ready, 100),), percent)
    made_of_this = _made_of(revisions, ready, template_hash)
    if reopens and rolled_out == ready == created and previous and made_of_this:
        # All of it was rolled out already, and the spec still asks for this very template: a
        # percent below 100 now means back to the revision before.
        rolled_out = previous
    shares = _split(ready, rolled_out, percent)
    return Rollout(created, ready, rolled_out, previous, shares, percent)


def make_traffic(rollout: Rollout) -> list[Object]:
    """Return the traffic block of the Knative Service: the same split, by tags."""
    percent = rollout.percent
    traffic: list[Object] = [{"latestRevision": True, "percent": percent, "tag": LATEST_TAG}]
    if percent < 100:
        traffic.append(
            {
                "latestRevision": False,
                "percent": 100 - percent,
                "revisionName": rollout.rolled_out,
                "tag": PREVIOUS_TAG,
            }
        )
    return traffic


def is_pending(
    knative_service: Mapping[str, Any] | None, revisions: Mapping[str, Object], template_hash: str
) -> bool:
    """Whether the revision of the wanted template is not ready, or not even there."""
    status = (knative_service or {}).get("status") or {}
    ready = status.get("latestReadyRevisionName", "")
    latest = bool(ready) and ready == status.get("latestCreatedRevisionName")
    return not (latest and _made_of(revisions, ready, template_hash))


def _has_requests(previous_status: Mapping[str, Any], revision: str) -> bool:
    return any(
        target.get("revisionName") == revision and target.get("percent")
        for target in previous_status.get("traffic") or ()
    )


def _split(ready: str, rolled_out: str, canary: int) -> tuple[Share, ...]:
    if ready == rolled_out:
        return (Share(ready, 100),)
    shares = (Share(ready, canary), Share(rolled_out, 100 - canary))
    return tuple(share for share in shares if share.percent)


def _made_of(revisions: Mapping[str, Object], name: str, template_hash: str) -> bool:
    annotations = revisions.get(name, {}).get("metadata", {}).get("annotations") or {}
    return bool(annotations.get(TEMPLATE_HASH) == template_hash)
