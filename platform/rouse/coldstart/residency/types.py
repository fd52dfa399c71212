"""What the planner is given, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

__all__ = ["Disk", "Item", "Move", "Placement"]


@dataclass(frozen=True, slots=True)
class Disk:
    """A node's room for items. Sizes are in bytes."""

    name: str
    budget: int
    taken: int = 0
    """What else the budget holds, of which the planner decides nothing."""
    held: frozenset[str] = frozenset()
    """Items that are there, or on their way."""
    running: frozenset[str] = frozenset()
    """Items that something on the node uses: they stay, even above the budget."""
    images: frozenset[str] = frozenset()
    """Images that the node has."""


@dataclass(frozen=True, slots=True)
class Item:
    """A model, or an image."""

    name: str
    size: int
    """Bytes; 0 counts as 1."""
    benefit: float
    """What copies within reach of every wake-up save: seconds of waiting in an hour."""
    copies: int = 1
    """Nodes that are to have it."""
    where: str = ""
    """A key of the planner's ``places``: the nodes that may have it."""
    beside: str = ""
    """An image: nodes that have it come first."""


@dataclass(frozen=True, slots=True, order=True)
class Move:
    """A copy that comes, goes, or does both."""

    item: str
    source: str = ""
    """The node that gives it up; empty: it is one copy more."""
    target: str = ""
    """The node that gets it; empty: it is one copy less."""


@dataclass(frozen=True, slots=True)
class Placement:
    """The answer: items of each node, the most benefit per byte first."""

    on: Mapping[str, tuple[str, ...]]
    moves: tuple[Move, ...] = ()
    """What differs from what was held."""
    unplaced: Mapping[str, str] = field(default_factory=dict)
    """Item -> why no node has it."""
    benefit: float = 0.0
    """Seconds in an hour that all copies together save."""
