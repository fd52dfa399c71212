"""What became of one object."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from enum import StrEnum

__all__ = ["Action", "Outcome", "Tell"]


class Action(StrEnum):
    """What was done, or under a dry run would be."""

    CREATED = "created"
    CONFIGURED = "configured"
    UNCHANGED = "unchanged"
    KEPT = "kept"
    """Left as it is: somebody else's, or the user's."""
    SKIPPED = "skipped"
    """Not applied: its namespace is not there."""
    DELETED = "deleted"
    RELEASED = "released"
    """Still there; what was ours in it no longer is."""


@dataclass(frozen=True, slots=True)
class Outcome:
    """An object, by kind and name, and what was done."""

    what: str
    action: Action
    note: str = ""

    def __str__(self) -> str:
        return f"{self.what} {self.action}{f' ({self.note})' if self.note else ''}"


Tell = Callable[[Outcome], None]
