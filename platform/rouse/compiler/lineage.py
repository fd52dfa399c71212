"""Which revisions of the components belong together: the ways a request takes through a service.

A transformer and its predictor are rolled out as one release. Percents are laid side by side from
the canary's end, so that a request that entered by the canary of one component meets the canary of
the next; see docs/decisions/0008-canary-lineage.md.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.component import EXPLAINER, PREDICTOR, TRANSFORMER
from rouse.compiler.rollout import (
    LATEST_TAG,
    PREVIOUS_TAG,
    Rollout,
    Share,
    decide_rollout,
    is_pending,
)

__all__ = ["LINEAGE_HEADER", "Candidate", "Way", "canary_way", "decide_rollouts", "join_ways"]

LINEAGE_HEADER = "Rouse-Lineage"
"""Request header ``latest`` or ``prev``: the tag of the predictor's revision that belongs to the
revision of the transformer (or explainer) that got the request."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What is known of a component before its rollout is decided."""

    component: str
    knative_service: Mapping[str, Any] | None
    """The live one."""
    template_hash: str
    """Of the template wanted now."""


@dataclass(frozen=True, slots=True)
class Way:
    """The revision that requests enter by, the predictor's that belongs to it, and the percent."""

    entry: str
    lineage: str
    """The tag of the predictor's revision."""
    percent: int


def decide_rollouts(
    isvc: InferenceService,
    candidates: Iterable[Candidate],
    *,
    revisions: Mapping[str, Object],
    previous_status: Mapping[str, Any],
) -> dict[str, Rollout]:
    """Return the rollout of each component.

    A component that gives no percent takes that of the others. A new revision waits for those of
    the other components before it gets its first request.
    """
    candidates = list(candidates)
    pending = {
        each.component
        for each in candidates
        if is_pending(each.knative_service, revisions, each.template_hash)
    }
    before = previous_status.get("components") or {}
    rollouts = {}
    for each in candidates:
        status = before.get(each.component) or {}
        own = _own_percent(isvc, each.component)
        rollouts[each.component] = decide_rollout(
            _percent(isvc) if own is None else own,
            knative_service=each.knative_service,
            revisions=revisions,
            previous_status=status,
            template_hash=each.template_hash,
            reopens=own is not None,
            waits=bool(pending - {each.component}),
        )
    return rollouts


def join_ways(entry: Rollout, predictor: Rollout) -> tuple[Way, ...]:
    """Return the ways from an entry component to the predictor; percents sum to 100.

    Empty until both have a ready revision.
    """
    if not entry.shares or not predictor.shares:
        return ()
    starts = sorted({0, *_ends(entry.shares), *_ends(predictor.shares)})
    return tuple(
        Way(_at(entry.shares, start), _tag(predictor, _at(predictor.shares, start)), end - start)
        for start, end in pairwise(starts)
    )


def canary_way(entry: Rollout, predictor: Rollout) -> Way | None:
    """Return the way of the newest revisions; None where there is no split to be chosen from."""
    if not entry.shares or not predictor.shares or entry.waits or predictor.waits:
        return None
    if not (entry.split or predictor.split):
        return None
    newest = entry.latest_ready if entry.split else entry.shares[0].revision
    lineage = LATEST_TAG if predictor.split else _tag(predictor, predictor.shares[0].revision)
    return Way(newest, lineage, 100)


def _own_percent(isvc: InferenceService, component: str) -> int | None:
    spec = getattr(isvc.spec, component)
    percent: int | None = spec.canary_traffic_percent
    return percent


def _percent(isvc: InferenceService) -> int | None:
    """Return the first percent that a component gives."""
    for component in (PREDICTOR, TRANSFORMER, EXPLAINER):
        if getattr(isvc.spec, component) is not None:
            percent = _own_percent(isvc, component)
            if percent is not None:
                return percent
    return None


def _ends(shares: tuple[Share, ...]) -> list[int]:
    ends, total = [], 0
    for share in shares:
        total += share.percent
        ends.append(total)
    return ends


def _at(shares: tuple[Share, ...], start: int) -> str:
    """Return the revision that has the percent after ``start``."""
    return next(
        share.revision for share, end in zip(shares, _ends(shares), strict=True) if start < end
    )


def _tag(predictor: Rollout, revision: str) -> str:
    return LATEST_TAG if revision == predictor.latest_ready else PREVIOUS_TAG
