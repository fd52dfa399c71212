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
        self._items = items
        self._worth = {name: item.benefit * (1 - SPILL) for name, item in items.items()}
        self._stays = [disk.running & items.keys() for disk in disks]
        self._on: list[set[str]] = [set() for _ in disks]
        self._holders: dict[str, set[int]] = {name: set() for name in items}
        self._weakest: list[float | None] = [None for _ in disks]
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
        return self._gain(name) / max(self._items[name].size, 1)

    def add(self, name: str, number: int) -> None:
        """Put a copy on a node, room or not; one that is there already stays as it is."""
        if name not in self._on[number]:
            self._on[number].add(name)
            self._holders[name].add(number)
            self.free[number] -= self._items[name].size
            self._forget(name, number)

    def remove(self, name: str, number: int) -> None:
        """Take a copy away."""
        self._on[number].remove(name)
        self._holders[name].remove(number)
        self.free[number] += self._items[name].size
        self._forget(name, number)

    def shrink(self, number: int) -> None:
        """Take copies away until the rest is within the budget, or runs."""
        if self.free[number] < 0:
            given = self._enough(number, -self.free[number])
            for name in given if given is not None else sorted(self._loose(number)):
                self.remove(name, number)

    def ordered(self, number: int) -> list[str]:
        """A node's items, those first that would be missed most per byte."""
        return sorted(self._on[number], key=lambda name: (-self._lost_per_byte(name), name))

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
            # The least that so many bytes cost; mostly too much.
            if self._weakest_of(number) * needed >= lowest or number in without:
                continue
            given = self._enough(number, needed)
            looked_at += 1
            if given is not None:
                loss = sum(map(self._loss, given))
                if loss < lowest:
                    best, names, lowest = number, given, loss
            if looked_at == _LOOKED_AT:
                break
        return best, names

    def _enough(self, number: int, needed: int) -> tuple[str, ...] | None:
        """Return what goes to free so many bytes of a node; None: not so much may go."""
        given: list[str] = []
        freed = 0
        for name in sorted(self._loose(number), key=lambda one: (self._lost_per_byte(one), one)):
            if freed >= needed:
                break
            given.append(name)
            freed += self._items[name].size
        if freed < needed:
            return None
        for name in reversed(given):
            # Small ones were taken before it was known that a large one is needed anyway.
            if freed - self._items[name].size >= needed:
                freed -= self._items[name].size
                given.remove(name)
        return tuple(given)

    def _loose(self, number: int) -> set[str]:
        return self._on[number] - self._stays[number]

    def _gain(self, name: str) -> float:
        return self._worth[name] * SPILL ** len(self._holders[name])

    def _loss(self, name: str) -> float:
        return self._worth[name] * SPILL ** (len(self._holders[name]) - 1)

    def _lost_per_byte(self, name: str) -> float:
        return self._loss(name) / max(self._items[name].size, 1)

    def _weakest_of(self, number: int) -> float:
        known = self._weakest[number]
        if known is None:
            loose = self._loose(number)
            known = min(map(self._lost_per_byte, loose), default=float("inf"))
            self._weakest[number] = known
        return known

    def _forget(self, name: str, number: int) -> None:
        """What a copy is worth depends on how many there are."""
        self._weakest[number] = None
        for each in self._holders[name]:
            self._weakest[each] = None
