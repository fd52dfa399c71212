"""Which models a node's cache gives up for another one. Pure.

Three policies, from the literature on web caches. Each gives an entry a value; the least valuable
goes first.

LRU      the time of the last use.
LFU-DA   K = L + uses: least frequently used with dynamic ageing (Arlitt et al., 2000).
GDSF     H = L + uses * cost / size: greedy dual-size frequency (Cherkasova, 1998).

``L`` grows to the value of what was evicted last, and an entry keeps the ``L`` of its last use:
what was used often, long ago, is overtaken by what is used now. `perf.eviction` compares the three.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from enum import StrEnum
from typing import Final

__all__ = ["DEFAULT_POLICY", "Entry", "Eviction", "Policy", "choose", "value_of"]


class Policy(StrEnum):
    """How entries are valued."""

    GDSF = "gdsf"
    LFU = "lfu"
    LRU = "lru"


DEFAULT_POLICY: Final = Policy.GDSF
"""The one that leaves callers waiting least for models fetched anew; see `perf.eviction`."""


@dataclass(frozen=True, slots=True)
class Entry:
    """One model in a cache, and how it was used."""

    name: str
    size: int
    """Bytes; 0 counts as 1."""
    uses: int = 1
    used_at: float = 0.0
    """When it was used last, in seconds of any clock that is the same for all entries."""
    cost: float = 1.0
    """What it takes to fetch it again, in seconds."""
    age: float = 0.0
    """The cache's ``L`` when it was used last."""
    held: bool = False
    """Something runs with it, or somebody asked for it by name: it never goes."""


@dataclass(frozen=True, slots=True)
class Eviction:
    """What goes, in this order."""

    gone: tuple[Entry, ...]
    freed: int
    """Bytes that this brings."""
    short: int
    """Bytes that are missing even so, as the rest is held; then nothing need be evicted at all."""
    age: float
    """The cache's ``L`` afterwards."""


def value_of(entry: Entry, policy: Policy = DEFAULT_POLICY) -> float:
    """What an entry is worth; comparable within one policy only."""
    match policy:
        case Policy.LRU:
            return entry.used_at
        case Policy.LFU:
            return entry.age + entry.uses
        case Policy.GDSF:
            return entry.age + entry.uses * entry.cost / max(entry.size, 1)


def choose(
    entries: Iterable[Entry],
    needed: int,
    *,
    budget: int,
    taken: int = 0,
    policy: Policy = DEFAULT_POLICY,
    age: float = 0.0,
) -> Eviction:
    """Choose what goes so that ``needed`` bytes more stay within ``budget`` bytes.

    ``taken`` is what else the budget holds: downloads on their way. When all that may go is not
    enough, nothing goes: to lose models for one that does not fit would help nobody.
    """
    entries = list(entries)
    missing = needed + taken + sum(each.size for each in entries) - budget
    if missing <= 0:
        return Eviction((), 0, 0, age)
    # Of equal values the one that is not used for longest goes; the name settles the rest.
    free = sorted(
        (each for each in entries if not each.held),
        key=lambda each: (value_of(each, policy), each.used_at, each.name),
    )
    gone: list[Entry] = []
    freed = 0
    for each in free:
        if freed >= missing:
            break
        gone.append(each)
        freed += each.size
    if freed < missing:
        return Eviction((), 0, missing - freed, age)
    gone = _without_needless(gone, freed - missing)
    return Eviction(
        tuple(gone),
        sum(each.size for each in gone),
        0,
        max([age, *(value_of(each, policy) for each in gone)]),
    )


def _without_needless(gone: list[Entry], spare: int) -> list[Entry]:
    """Keep the most valuable of what would go, where the others free enough without it."""
    kept = set()
    for each in reversed(gone):
        if each.size <= spare:
            spare -= each.size
            kept.add(each.name)
    return [each for each in gone if each.name not in kept]
