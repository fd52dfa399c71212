"""What a mode makes of a router."""

from __future__ import annotations

from dataclasses import dataclass

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import Finding

__all__ = ["Wanted"]


@dataclass(frozen=True, slots=True)
class Wanted:
    """The objects of a router, and what was found of them."""

    objects: tuple[Object, ...]
    """In the order in which to write them."""
    router: Finding
    """RouterReady."""
    url: str
    """Where clients reach the graph; empty while nothing is led there."""
