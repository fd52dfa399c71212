"""What a check finds, and how findings are put into words."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from typing import Any

import orjson

from rouse.errors import FieldError

__all__ = ["Check", "Finding", "Findings", "Rule", "bound", "duplicates", "shown_value", "under"]


@dataclass(slots=True)
class Finding:
    """What is wrong with one value; ``where`` grows outwards as the finding is handed up."""

    kind: str
    shown: str = ""
    detail: str = ""
    in_body: bool = False
    where: list[str | int] = field(default_factory=list)

    def error(self) -> FieldError:
        """The finding in the API's words."""
        path = ""
        for step in reversed(self.where):
            path += f"[{step}]" if isinstance(step, int) else f".{step}" if path else step
        detail = f"{path} in body {self.detail}" if self.in_body else self.detail
        return FieldError(path, ": ".join(part for part in (self.kind, self.shown, detail) if part))


Findings = list[Finding]
Check = Callable[[Any], Findings | None]
"""Takes a value; None says that it is good."""
Rule = Check
"""A check of values of one type only, whose type is known to be right."""


def shown_value(value: Any) -> str:
    """A value as findings show it: JSON."""
    return orjson.dumps(value).decode()


def under(step: str | int, findings: Findings) -> Findings:
    """Findings of a value as those of the value it lies in, under a field or an index."""
    for finding in findings:
        finding.where.append(step)
    return findings


def bound(
    holds: Callable[[Any], bool], detail: str, shown: Callable[[Any], str] = shown_value
) -> Rule:
    """A rule that a condition holds; ``detail`` says what should be."""

    def check(value: Any) -> Findings | None:
        return None if holds(value) else [Finding("Invalid value", shown(value), detail, True)]

    return check


def duplicates(value: list[Any], identity: Callable[[Any], Any]) -> Iterable[Finding]:
    """The items whose identity an earlier one has."""
    seen: set[bytes] = set()
    for index, item in enumerate(value):
        key = orjson.dumps(identity(item), option=orjson.OPT_SORT_KEYS)
        if key in seen:
            yield Finding("Duplicate value", key.decode(), where=[index])
        seen.add(key)
