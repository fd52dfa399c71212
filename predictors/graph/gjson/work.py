"""A bound on the work that one evaluation may do, so that no document can hang the router."""

from __future__ import annotations

__all__ = ["TooMuchWorkError", "Work"]


class TooMuchWorkError(Exception):
    """An evaluation went on far longer than its document's size explains."""


class Work:
    """Steps that are left: a step is one token read, or 64 bytes passed over or copied."""

    __slots__ = ("left",)

    def __init__(self, limit: int) -> None:
        self.left = limit

    def spend(self, steps: int) -> None:
        """Count steps; raises TooMuchWorkError when none is left."""
        self.left -= steps
        if self.left < 0:
            raise TooMuchWorkError
