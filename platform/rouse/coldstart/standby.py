"""How many standby pods each group of sleeping services gets, within a budget per runtime. Pure."""

from __future__ import annotations

import heapq
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import NamedTuple

__all__ = ["Budget", "Group", "Place", "allocate", "too_small"]


class Place(NamedTuple):
    """A namespace, and the digest of what a standby pod there must be like."""

    namespace: str
    shape: str


@dataclass(frozen=True, slots=True)
class Group:
    """Services that any one standby pod of the place could become."""

    place: Place
    runtime: str
    services: int
    """How many of them sleep, or wake just now."""
    memory: int
    """What one standby pod requests, in bytes; 0 where it says nothing."""


@dataclass(frozen=True, slots=True)
class Budget:
    """Of one runtime, in the whole cluster. ``memory`` is in bytes; None: as much as they ask."""

    count: int
    memory: int | None = None


def allocate(groups: Iterable[Group], budgets: Mapping[str, Budget]) -> dict[Place, int]:
    """Return the number of standby pods for each place that gets any.

    One after another goes to where it has most services to itself (d'Hondt's method): so a larger
    budget never takes a pod away from anybody, and no place has more pods than sleepers. A pod that
    the memory left does not hold is passed over, for smaller ones.
    """
    given: dict[Place, int] = {}
    by_runtime: dict[str, list[Group]] = {}
    for group in groups:
        by_runtime.setdefault(group.runtime, []).append(group)
    for runtime, budget in budgets.items():
        _share(by_runtime.get(runtime, ()), budget, given)
    return given


def too_small(groups: Iterable[Group], budgets: Mapping[str, Budget]) -> dict[str, int]:
    """Return runtimes whose memory holds not even one pod, with what the least of them requests."""
    least: dict[str, int] = {}
    for group in groups:
        if group.services > 0:
            least[group.runtime] = min(group.memory, least.get(group.runtime, group.memory))
    return {
        runtime: least[runtime]
        for runtime, budget in sorted(budgets.items())
        if budget.count and budget.memory is not None and least.get(runtime, 0) > budget.memory
    }


def _share(groups: Iterable[Group], budget: Budget, given: dict[Place, int]) -> None:
    memory = budget.memory
    by_place = {group.place: group for group in groups if group.services > 0}
    # Of equal claims first whoever has less, then by name: the same sleepers get the same pods.
    claims = [(-float(each.services), 0, place) for place, each in by_place.items()]
    heapq.heapify(claims)
    left = budget.count
    while claims and left > 0:
        _, _, place = heapq.heappop(claims)
        group = by_place[place]
        if memory is not None and group.memory > memory:
            continue
        memory = None if memory is None else memory - group.memory
        left -= 1
        given[place] = given.get(place, 0) + 1
        has = given[place]
        if has < group.services:
            heapq.heappush(claims, (-group.services / (has + 1), has, place))
