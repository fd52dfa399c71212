"""status.coldStart of an InferenceService, from what its revisions wrote down, and its budget.

The history is bounded and lives in the status itself: a controller that starts anew goes on where
the one before ended, and what is known already changes nothing.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from math import ceil
from typing import Any, Final

import orjson

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.annotations import COLD_START_BUDGET, parse_budget
from rouse.api.inferenceservice.lifecycle import COLD_START_WITHIN_BUDGET, Finding, Reason

__all__ = [
    "KEPT",
    "KEPT_STARTS",
    "LAST_COLD_START",
    "budget_findings",
    "make_cold_starts",
    "make_starts",
    "new_cold_starts",
]

LAST_COLD_START = "rouse.dev/last-cold-start"
"""In status.annotations of a Revision: JSON {time (RFC 3339), totalMs, phases {name: ms}}, and
where they are known pod and traceId."""

KEPT: Final = 32
"""Wake-ups in the history: enough for a p95, and a few kilobytes."""

KEPT_STARTS: Final = 8
"""Starts that ended no sleep."""

_OPTIONAL: Final = ("pod", "traceId", "phases")


def make_cold_starts(
    revisions: Mapping[str, Object],
    gathered: Sequence[Mapping[str, Any]],
    previous: Mapping[str, Any] | None,
) -> Object | None:
    """Return status.coldStart; None while nothing ever woke.

    ``gathered`` are records that somebody put together from pods; what a revision wrote of the
    same pod is exact, and takes their place. A note that is no such JSON is left aside.
    """
    before = previous or {}
    known = {_identity(one): dict(one) for one in _history(before)}
    count = int(before.get("count") or len(known))
    oldest = min((_time(one) for one in known.values()), default="") if len(known) >= KEPT else ""
    woken = [record for record in gathered if not record.get("cause")]
    for exact, found in ((False, woken), (True, list(_notes(revisions)))):
        for record in found:
            identity = _identity(record)
            if identity in known:
                known[identity] = dict(record) if exact else known[identity]
            elif _time(record) > oldest:
                known[identity] = dict(record)
                count += 1
    if not known:
        return None
    recent = sorted(known.values(), key=_time)[-KEPT:]
    totals = sorted(float(one["totalMs"]) for one in recent)
    status = {
        "last": recent[-1],
        "p50Ms": _quantile(totals, 0.5),
        "p95Ms": _quantile(totals, 0.95),
        "count": count,
        "since": before.get("since") or _time(recent[0]),
        "recent": recent,
    }
    dominant = _dominant(recent)
    return {**status, "dominantPhase": dominant[0]} if dominant else status


def make_starts(
    gathered: Sequence[Mapping[str, Any]], previous: Sequence[Mapping[str, Any]]
) -> list[Object]:
    """Return status.starts: the last pods of the mode Standard that started and ended no sleep.

    Each says its ``cause``. Nobody waited for them, so they count nowhere.
    """
    known = {_identity(one): dict(one) for one in previous}
    for record in gathered:
        if record.get("cause"):
            known.setdefault(_identity(record), dict(record))
    return sorted(known.values(), key=_time)[-KEPT_STARTS:]


def new_cold_starts(before: Mapping[str, Any] | None, after: Mapping[str, Any] | None) -> list[Any]:
    """Return the records of status.coldStart ``after`` that ``before`` did not have."""
    known = {_identity(one) for one in _history(before or {})}
    return [one for one in _history(after or {}) if _identity(one) not in known]


def budget_findings(annotations: Strings, cold_starts: Mapping[str, Any] | None) -> list[Finding]:
    """Return the condition of a service that has a budget for its cold starts, nothing else."""
    text = annotations.get(COLD_START_BUDGET)
    budget = parse_budget(text) if text is not None else None
    if budget is None:
        return []
    if not cold_starts:
        message = f"no cold start has been measured yet; the budget is {text}"
        return [Finding(COLD_START_WITHIN_BUDGET, "Unknown", Reason.NO_COLD_STARTS, message)]
    p95, measured = float(cold_starts["p95Ms"]), len(cold_starts["recent"])
    message = f"p95 of the last {measured} cold starts is {_shown(p95)}, the budget {text}"
    dominant = _dominant(cold_starts["recent"])
    if dominant:
        message += f"; {dominant[0]} takes most of it, {_shown(dominant[1])} on average"
    if p95 <= budget * 1000:
        return [Finding(COLD_START_WITHIN_BUDGET, "True", Reason.WITHIN_BUDGET, message)]
    return [Finding(COLD_START_WITHIN_BUDGET, "False", Reason.OVER_BUDGET, message)]


def _history(cold_starts: Mapping[str, Any]) -> Sequence[Mapping[str, Any]]:
    recent: Sequence[Mapping[str, Any]] = cold_starts.get("recent") or ()
    last = cold_starts.get("last")
    return recent or ((last,) if last else ())


def _identity(record: Mapping[str, Any]) -> tuple[str, str]:
    """A pod wakes once."""
    pod = record.get("pod")
    return ("pod", str(pod)) if pod else (str(record.get("revision", "")), _time(record))


def _time(record: Mapping[str, Any]) -> str:
    # RFC 3339 in UTC with the same precision sorts as text.
    return str(record.get("time", ""))


def _quantile(ordered: Sequence[float], share: float) -> float:
    """The nearest rank: a value that was measured."""
    return ordered[max(0, ceil(share * len(ordered)) - 1)]


def _dominant(recent: Iterable[Mapping[str, Any]]) -> tuple[str, float] | None:
    """The phase that took most time in all of them, and its mean in ms."""
    spent: Counter[str] = Counter()
    number = 0
    for one in recent:
        number += 1
        for phase, took in (one.get("phases") or {}).items():
            spent[phase] += took
    if not spent:
        return None
    phase, took = min(spent.items(), key=lambda item: (-item[1], item[0]))
    return phase, took / number


def _shown(milliseconds: float) -> str:
    return f"{milliseconds:.3g} ms" if milliseconds < 999.5 else f"{milliseconds / 1000:.3g} s"


def _notes(revisions: Mapping[str, Object]) -> Iterator[Object]:
    for name, revision in sorted(revisions.items()):
        written = ((revision.get("status") or {}).get("annotations") or {}).get(LAST_COLD_START)
        if written is None:
            continue
        try:
            note = orjson.loads(written)
        except orjson.JSONDecodeError:
            continue
        if isinstance(note, dict) and {"time", "totalMs"} <= note.keys():
            told = {field: note[field] for field in _OPTIONAL if note.get(field)}
            yield {"time": note["time"], "revision": name, "totalMs": note["totalMs"]} | told
