"""The planner: models and images to nodes, within their disks.

It begins with what is there, and takes the copies that are missing in the order of what they save
per byte, as for a knapsack. Each goes

1. to a node with room, one that has the item's image if there is any,
2. else to a node where it pushes out what saves clearly less, and that is then placed anew,

until nothing finds a better place. A second copy serves only wake-ups that find no place at the
first: each is worth a fixed part of the one before. Nothing is moved but to make room for something
of more worth: to plan again without a change moves nothing. Sizes add up to no more than the
budget, but for what runs.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping, Sequence
from heapq import heapify, heappop, heappush
from typing import Final

from rouse.coldstart.residency.ring import Ring, point_of
from rouse.coldstart.residency.shelves import SPILL, Shelves
from rouse.coldstart.residency.types import Disk, Item, Move, Placement

__all__ = ["place"]

_PASSES: Final = 10
"""Each but the last placed something; after two or three few do."""


def place(
    disks: Iterable[Disk], items: Iterable[Item], places: Mapping[str, Iterable[str]]
) -> Placement:
    """Plan anew from what is there. Equal arguments give equal answers, in any order.

    ``places`` says which nodes (by name) the items with this ``where`` may have; one that is not
    among them means all.
    """
    ordered = sorted(disks, key=lambda disk: disk.name)
    planner = _Planner(ordered, {item.name: item for item in items}, places)
    planner.fill()
    return planner.placement()


class _Planner:
    """Nodes are numbers in the order of their names."""

    def __init__(
        self, disks: Sequence[Disk], items: Mapping[str, Item], places: Mapping[str, Iterable[str]]
    ) -> None:
        self._disks = disks
        self._items = items
        self._places = {key: frozenset(names) for key, names in places.items()}
        self._names = [disk.name for disk in disks]
        self._rings: dict[tuple[str, str], Ring] = {}
        self._shelves = Shelves(disks, items)
        for number, disk in enumerate(disks):
            for name in sorted(disk.held & items.keys()):
                if items[name].copies > 0 and self._may(items[name], number):
                    self._shelves.add(name, number)
        for number in range(len(disks)):
            self._shelves.shrink(number)

    def fill(self) -> None:
        """Place what is missing, again and again until nothing more is found."""
        waiting = [name for name, item in self._items.items() if self._wants(item)]
        for _ in range(_PASSES):
            waiting, placed = self._pass(waiting)
            if not placed:
                return

    def _pass(self, names: Iterable[str]) -> tuple[list[str], bool]:
        """Try once to place each; returns what found no place, and whether anything did."""
        heap = [(-self._shelves.density(name), name) for name in names]
        heapify(heap)
        failed: set[str] = set()
        placed = False
        while heap:
            _, name = heappop(heap)
            if not self._wants(self._items[name]):
                continue
            number, victims = self._found(self._items[name])
            if number < 0:
                failed.add(name)
                continue
            placed = True
            for victim in victims:
                self._shelves.remove(victim, number)
            self._shelves.add(name, number)
            for again in (name, *victims):
                if self._wants(self._items[again]):
                    heappush(heap, (-self._shelves.density(again), again))
        return sorted(failed), placed

    def placement(self) -> Placement:
        """Return what was planned, and how it differs from what was held."""
        shelves = self._shelves
        on = {name: tuple(shelves.ordered(number)) for number, name in enumerate(self._names)}
        return Placement(
            on,
            tuple(sorted(_moves(self._disks, self._items, on))),
            {
                name: self._why(item)
                for name, item in sorted(self._items.items())
                if item.copies > 0 and not shelves.holders(name)
            },
            sum(
                item.benefit * (1 - SPILL ** len(shelves.holders(name)))
                for name, item in sorted(self._items.items())
            ),
        )

    def _wants(self, item: Item) -> bool:
        return len(self._shelves.holders(item.name)) < item.copies

    def _found(self, item: Item) -> tuple[int, tuple[str, ...]]:
        """Return a node for one more copy, and what gives way to it there; -1: there is none."""
        shelves = self._shelves
        point, without = point_of(item.name), shelves.holders(item.name)
        rings = [self._ring(item.where, item.beside)] if item.beside else []
        rings.append(self._ring(item.where, ""))
        for ring in rings:
            number = ring.roomy(point, item.size, shelves.free, without)
            if number >= 0:
                return number, ()
        return shelves.yielding(item, rings[-1].around(point), without)

    def _ring(self, where: str, image: str) -> Ring:
        ring = self._rings.get((where, image))
        if ring is None:
            nodes = self._places.get(where)
            ring = self._rings[where, image] = Ring(
                (
                    number
                    for number, disk in enumerate(self._disks)
                    if (nodes is None or disk.name in nodes) and (not image or image in disk.images)
                ),
                self._names,
            )
        return ring

    def _may(self, item: Item, number: int) -> bool:
        nodes = self._places.get(item.where)
        return nodes is None or self._names[number] in nodes

    def _why(self, item: Item) -> str:
        may = [disk for at, disk in enumerate(self._disks) if self._may(item, at)]
        if not may:
            return "no node may have it"
        largest = max(disk.budget for disk in may)
        if item.size > largest:
            return f"it has {item.size} bytes, and the largest budget is {largest} bytes"
        return "nodes are full of what saves more per byte"


def _moves(
    disks: Iterable[Disk], known: Mapping[str, Item], on: Mapping[str, Sequence[str]]
) -> Iterator[Move]:
    gone: defaultdict[str, list[str]] = defaultdict(list)
    come: defaultdict[str, list[str]] = defaultdict(list)
    for disk in disks:
        # What runs and nobody asks for stays as well, and its room is in ``taken``.
        runs = {name for name in disk.running if name in known}
        before, after = (disk.held - disk.running) | runs, set(on[disk.name])
        for name in before - after:
            gone[name].append(disk.name)
        for name in after - before:
            come[name].append(disk.name)
    for name in gone.keys() | come.keys():
        sources, targets = sorted(gone[name]), sorted(come[name])
        for at in range(max(len(sources), len(targets))):
            yield Move(
                name,
                sources[at] if at < len(sources) else "",
                targets[at] if at < len(targets) else "",
            )
