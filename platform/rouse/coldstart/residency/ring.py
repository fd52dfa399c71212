"""Nodes in a circle, by the hashes of their names: where to begin to look for room."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Container, Iterable, Sequence
from hashlib import blake2b
from typing import Final

__all__ = ["Ring", "point_of"]

_NEAR: Final = 32
"""Nodes that are looked at, one after the other, before all are."""
_CHOICES: Final = 4
"""The emptiest of so many that have room is taken: it evens the load out."""


def point_of(name: str) -> int:
    """A name's place in the circle; the same in every process."""
    return int.from_bytes(blake2b(name.encode(), digest_size=8).digest(), "big")


class Ring:
    """Some nodes, by their numbers. ``names`` are those of all nodes."""

    def __init__(self, numbers: Iterable[int], names: Sequence[str]) -> None:
        points = sorted((point_of(names[number]), number) for number in numbers)
        self._points = [point for point, _ in points]
        self._numbers = [number for _, number in points]

    def around(self, point: int) -> list[int]:
        """All nodes, from ``point`` on."""
        at = bisect_left(self._points, point)
        return self._numbers[at:] + self._numbers[:at]

    def roomy(self, point: int, size: int, room: Sequence[int], without: Container[int]) -> int:
        """Return a node near ``point`` with ``size`` bytes of ``room``, or -1 where none has it."""
        numbers = self._numbers
        count = len(numbers)
        at = bisect_left(self._points, point)
        found: list[int] = []
        for step in range(min(count, _NEAR)):
            number = numbers[(at + step) % count]
            if room[number] >= size and number not in without:
                found.append(number)
                if len(found) == _CHOICES:
                    break
        if not found:
            found = [one for one in numbers if room[one] >= size and one not in without]
        return max(found, key=lambda number: room[number]) if found else -1
