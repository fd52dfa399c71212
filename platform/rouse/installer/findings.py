"""What was found out about a cluster, one thing at a time."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Literal

__all__ = ["Finding", "State", "because"]

State = Literal[
    "ok", "note", "missing", "disabled", "too old", "invalid", "needed", "conflict", "not ready"
]


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing that was looked at."""

    what: str
    state: State
    detail: str = ""
    fix: str = ""
    """The command that mends it; empty where there is nothing to mend, or no such command."""

    @property
    def wrong(self) -> bool:
        """Whether something has to be done."""
        return self.state not in ("ok", "note", "needed")


def because(names: Iterable[str]) -> str:
    """Return the first of the names, and how many more there are."""
    first, *rest = [*names, ""][:-1] or [""]
    return f"{first} and {len(rest)} more" if rest else first
