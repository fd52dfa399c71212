"""What an agent says of its models: KServe's state of each, and conditions with the reasons. Pure.

::

    Ready             every model that shall be here is
    WithinBudget      there is room for all of them
    OriginsReachable  every origin answers
    ChecksumsMatch    every origin holds what it says
    DiskHasRoom       the disk takes what the budget allows
    CredentialsFound  every ServiceAccount and entry that a cache names can be read
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from math import ceil
from typing import Any, Final

from rouse.agent.plan import Known, Wish
from rouse.api.base import Object
from rouse.api.localmodelnode.types import ModelState

__all__ = ["Failure", "make_conditions", "make_facts", "make_states"]

BUDGET: Final = "Budget"
CREDENTIALS: Final = "Credentials"
_CONDITIONS: Final = {
    BUDGET: ("WithinBudget", "BudgetTooSmall"),
    "OriginUnreachable": ("OriginsReachable", "OriginUnreachable"),
    "ChecksumMismatch": ("ChecksumsMatch", "ChecksumMismatch"),
    "DiskFull": ("DiskHasRoom", "DiskFull"),
    CREDENTIALS: ("CredentialsFound", "CredentialsMissing"),
}
_MOST_NAMED: Final = 5


@dataclass(frozen=True, slots=True)
class Failure:
    """Why a source's present revision is not here: a reason of the storage process, in words."""

    reason: str
    message: str


def make_states(
    wishes: Iterable[Wish],
    here: Iterable[str],
    fetching: Iterable[str],
    failures: Mapping[str, Failure],
) -> dict[str, ModelState]:
    """Return the state of each model; a copy that is here counts, whatever a later fetch did."""
    here, fetching = set(here), set(fetching)
    found: dict[str, ModelState] = {}
    for wish in wishes:
        failure = failures.get(wish.source)
        if wish.source in here:
            found[wish.key] = "ModelDownloaded"
        elif wish.source in fetching:
            found[wish.key] = "ModelDownloading"
        elif failure is None or (failure.reason == BUDGET and not wish.pinned):
            # On demand, to wait for room is no failure.
            found[wish.key] = "ModelDownloadPending"
        else:
            found[wish.key] = "ModelDownloadError"
    return found


def make_facts(wishes: Iterable[Wish], known: Mapping[str, Known], budget: int) -> Object:
    """Return what the planner is to know: sizes of models, how long they took, and the budget."""
    sized = [(wish.key, known[wish.source]) for wish in wishes if known[wish.source].bytes]
    fetched = [(key, each) for key, each in sized if each.digest]
    return {
        "modelBytes": {key: each.bytes for key, each in sized},
        "fetchSeconds": {key: ceil(each.cost) for key, each in fetched},
        "budgetBytes": budget,
    }


def make_conditions(
    wishes: Sequence[Wish],
    states: Mapping[str, ModelState],
    failures: Mapping[str, Failure],
    before: Sequence[Mapping[str, Any]],
    now: str,
) -> list[Object]:
    """Return the conditions; ``now`` (RFC 3339) is when those changed that did."""
    known = {str(each.get("type")): each for each in before}
    made = [_ready(wishes, states, failures)]
    for reason, (kind, told) in _CONDITIONS.items():
        bad = [wish for wish in wishes if wish.source in failures]
        bad = [wish for wish in bad if failures[wish.source].reason == reason]
        if bad:
            message = _several([f"{wish.key}: {failures[wish.source].message}" for wish in bad])
            made.append({"type": kind, "status": "False", "reason": told, "message": message})
        else:
            made.append({"type": kind, "status": "True"})
    return [_stamped(each, known.get(each["type"]), now) for each in made]


def _ready(
    wishes: Sequence[Wish], states: Mapping[str, ModelState], failures: Mapping[str, Failure]
) -> Object:
    def told(wish: Wish) -> str:
        failure = failures.get(wish.source)
        # The others have a condition that says why.
        other = failure is not None and failure.reason not in _CONDITIONS
        return f"{wish.key}: {failure.message}" if failure and other else wish.key

    for state, status, reason in (
        ("ModelDownloadError", "False", "DownloadFailed"),
        ("ModelDownloading", "Unknown", "Downloading"),
        ("ModelDownloadPending", "Unknown", "Pending"),
    ):
        found = [told(wish) for wish in wishes if states[wish.key] == state]
        if found:
            message = _several(found)
            return {"type": "Ready", "status": status, "reason": reason, "message": message}
    return {"type": "Ready", "status": "True"}


def _several(messages: Sequence[str]) -> str:
    more = len(messages) - _MOST_NAMED
    text = "; ".join(messages[:_MOST_NAMED])
    return f"{text}; and {more} more" if more > 0 else text


def _stamped(condition: Object, before: Mapping[str, Any] | None, now: str) -> Object:
    same = before is not None and before.get("status") == condition["status"]
    since = (before or {}).get("lastTransitionTime") if same else None
    return {**condition, "lastTransitionTime": since or now}
