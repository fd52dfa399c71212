"""Status conditions as Knative keeps them: several parts, and one that sums them up. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

from rouse.kube.objects import Object

__all__ = ["FALSE", "READY", "TRUE", "UNKNOWN", "Conditions", "is_true", "status_of"]

READY: Final = "Ready"
TRUE: Final = "True"
FALSE: Final = "False"
UNKNOWN: Final = "Unknown"


class Conditions:
    """The conditions of one object, changed from what they were before.

    ``Ready`` follows from ``parts``: False if one is False, Unknown if one is Unknown, else True.
    ``notes`` are conditions that inform and do not count. Parts never marked are Unknown.
    """

    def __init__(
        self, before: Iterable[Object], *, parts: Sequence[str], notes: Sequence[str] = (), now: str
    ) -> None:
        self._before = {one["type"]: one for one in before}
        self._parts = tuple(parts)
        self._notes = frozenset(notes)
        self._now = now
        self._marked: dict[str, Object] = {}
        for type_ in self._parts:
            self._marked[type_] = self._before.get(type_) or {"type": type_, "status": UNKNOWN}

    def mark(self, type_: str, status: str, reason: str = "", message: str = "") -> None:
        """Set one condition; its transition time moves only when its status changes."""
        self._marked[type_] = self._condition(type_, status, reason, message)

    def status(self, type_: str) -> str:
        """The status that a condition has now."""
        found = self._marked.get(type_) or self._before.get(type_)
        return str(found["status"]) if found else UNKNOWN

    def render(self) -> list[Object]:
        """All conditions with the sum of them, by type."""
        rendered = {**self._marked, READY: self._sum()}
        return [self._timed(rendered[type_]) for type_ in sorted(rendered)]

    def _sum(self) -> Object:
        for status in (FALSE, UNKNOWN):
            for type_ in self._parts:
                part = self._marked[type_]
                if part["status"] == status:
                    return self._condition(
                        READY, status, part.get("reason", ""), part.get("message", "")
                    )
        return self._condition(READY, TRUE, "", "")

    def _condition(self, type_: str, status: str, reason: str, message: str) -> Object:
        condition: Object = {"type": type_, "status": status}
        if reason:
            condition["reason"] = reason
        if message:
            condition["message"] = message
        if type_ in self._notes:
            condition["severity"] = "Info"
        return condition

    def _timed(self, condition: Object) -> Object:
        before = self._before.get(condition["type"], {})
        same = before.get("status") == condition["status"]
        return condition | {
            "lastTransitionTime": before.get("lastTransitionTime", self._now) if same else self._now
        }


def status_of(conditions: Iterable[Object], type_: str = READY) -> tuple[str, str, str]:
    """(status, reason, message) of one condition; Unknown where it is not there."""
    for one in conditions:
        if one.get("type") == type_:
            return one["status"], one.get("reason", ""), one.get("message", "")
    return UNKNOWN, "", ""


def is_true(obj: Object, type_: str = READY) -> bool:
    """Whether an object's condition is True and speaks of its present generation."""
    status = obj.get("status") or {}
    generation = obj["metadata"].get("generation")
    if generation is not None and status.get("observedGeneration") != generation:
        return False
    return status_of(status.get("conditions") or (), type_)[0] == TRUE
