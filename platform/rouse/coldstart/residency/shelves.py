"""The planner's books: which node has what, what is free, and what would give way."""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping, Sequence
from typing import Final

from rouse.coldstart.residency.types import Disk, Item

__all__ = ["SPILL", "STAY", "Shelves"]

SPILL: Final = 0.25
"""The share of wake-ups that find no place on a node with a copy, and need the next one."""
STAY: Final = 1.25
"""What is there goes only for what saves so many times more."""

_LOOKED_AT: Final = 16
"""Nodes of which is worked out what would give way, before the best of them is taken."""


class Shelves:
    """Copies on nodes, which are the numbers of ``disks``; what runs is there from the start."""

    def __init__(self, disks: Sequence[Disk], items: Mapping[str, Item]) -> None:
        self._sizes = {name: item.size for name, item in items.items()}
        self._worth = {name: item.benefit * (1 - SPILL) for name, item in items.items()}
        self._stays = [disk.running & items.keys() for disk in disks]
        self._on: list[set[str]] = [set() for _ in disks]
        self._holders: dict[str, set[int]] = {name: set() for name in items}
        # What the last copy of each saves, in all and per byte.
        self._loss: dict[str, float] = {}
        self._density: dict[str, float] = {}
        self._loose: list[list[str] | None] = [None for _ in disks]
        self.free = [disk.budget - disk.taken for disk in disks]
        """Bytes of each node that nothing has; below 0 where what is there is above the budget."""
        for number, names in enumerate(self._stays):
            for name in sorted(names):
                self.add(name, number)

    def holders(self, name: str) -> set[int]:
        """The nodes that have an item; not to be changed."""
        return self._holders[name]

    def density(self, name: str) -> float:
        """What one more copy saves per byte."""
        return self._gain(name) / max(self._sizes[name], 1)

    def add(self, name: str, number: int) -> None:
        """Put a copy on a node, room or not; one that is there already stays as it is."""
        if name not in self._on[number]:
            self._on[number].add(name)
            self._holders[name].add(number)
            self.free[number] -= self._sizes[name]
            self._changed(name, number)

    def remove(self, name: str, number: int) -> None:
        """Take a copy away."""
        self._on[number].remove(name)
        self._holders[name].remove(number)
        self.free[number] += self._sizes[name]
        self._changed(name, number)

    def shrink(self, number: int) -> None:
        """Take copies away until the rest is within the budget, or runs."""
        if self.free[number] < 0:
            given = self._enough(number, -self.free[number])
            for name in given if given is not None else list(self._loose_on(number)):
                self.remove(name, number)

    def ordered(self, number: int) -> list[str]:
        """A node's items, those first that would be missed most per byte."""
        return sorted(self._on[number], key=lambda name: (-self._density[name], name))

    def yielding(
        self, item: Item, numbers: Iterable[int], without: Container[int]
    ) -> tuple[int, tuple[str, ...]]:
        """Return where the least would give way for one more copy, and what; -1: nowhere.

        What gives way saves together `STAY` times less.
        """
        gain, size = self._gain(item.name), item.size
        best, lowest, looked_at = -1, gain / STAY, 0
        names: tuple[str, ...] = ()
        for number in numbers:
            needed = size - self.free[number]
            loose = self._loose_on(number)
            # The least that so many bytes cost; mostly too much.
            if not loose or self._density[loose[0]] * needed >= lowest or number in without:
                continue
            given = self._enough(number, needed)
            looked_at += 1
            if given is not None:
                loss = sum(self._loss[name] for name in given)
                if loss < lowest:
                    best, names, lowest = number, given, loss
            if looked_at == _LOOKED_AT:
                break
        return best, names

    def _enough(self, number: int, needed: int) -> tuple[str, ...] | None:
        """Return what goes to free so many bytes of a node; None: not so much may go."""
        given: list[str] = []
        freed = 0
        for name in self._loose_on(number):
            if freed >= needed:
                break
            given.append(name)
            freed += self._sizes[name]
        if freed < needed:
            return None
        for name in reversed(given):
            # Small ones were taken before it was known that a large one is needed anyway.
            if freed - self._sizes[name] >= needed:
                freed -= self._sizes[name]
                given.remove(name)
        return tuple(given)

    def _loose_on(self, number: int) -> list[str]:
        """What may go from a node, what would be missed least per byte first."""
        known = self._loose[number]
        if known is None:
            names = self._on[number] - self._stays[number]
            known = sorted(names, key=lambda name: (self._density[name], name))
            self._loose[number] = known
        return known

    def _gain(self, name: str) -> float:
        return self._worth[name] * SPILL ** len(self._holders[name])

    def _changed(self, name: str, number: int) -> None:
        """What a copy is worth depends on how many there are."""
        holders = self._holders[name]
        loss = self._worth[name] * SPILL ** (len(holders) - 1)
        self._loss[name], self._density[name] = loss, loss / max(self._sizes[name], 1)
        self._loose[number] = None
        for each in holders:
            self._loose[each] = None
