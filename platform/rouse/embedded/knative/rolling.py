"""How a Deployment gets from one template to the next: Kubernetes' rolling update. Pure."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from rouse.kube.objects import Object

__all__ = ["Step", "Strategy", "is_paused", "next_step", "strategy_of"]

_DEFAULT = "25%"


class _HasReady(Protocol):
    @property
    def ready(self) -> bool: ...


R = TypeVar("R", bound=_HasReady)


@dataclass(frozen=True, slots=True)
class Strategy:
    """Replicas that may run beyond the wanted ones, and how many of those may be missing."""

    surge: int
    unavailable: int
    recreate: bool = False


@dataclass(frozen=True, slots=True)
class Step(Generic[R]):
    """What to do now: replicas of the present template to launch, former ones to let go."""

    launch: int
    retire: tuple[R, ...]


def is_paused(deployment: Object) -> bool:
    """Whether changes of its template wait; it may be scaled all the same."""
    return bool(deployment["spec"].get("paused"))


def strategy_of(deployment: Object, wanted: int) -> Strategy:
    """Read ``spec.strategy``; percentages are of ``wanted``, as Kubernetes rounds them."""
    given = deployment["spec"].get("strategy") or {}
    if given.get("type") == "Recreate":
        return Strategy(0, wanted, recreate=True)
    rolling = given.get("rollingUpdate") or {}
    surge = _share(rolling.get("maxSurge", _DEFAULT), wanted, up=True)
    unavailable = _share(rolling.get("maxUnavailable", _DEFAULT), wanted, up=False)
    # Both 0 would never move.
    return Strategy(surge, unavailable or (0 if surge else 1))


def next_step(
    strategy: Strategy, wanted: int, current: Sequence[R], former: Sequence[R], *, leaving: int = 0
) -> Step[R]:
    """Decide by the replicas of the present template and of former ones, the retiring left out.

    ``leaving`` is how many former ones retire already; Recreate waits for their end.
    """
    missing = max(0, wanted - len(current))
    if strategy.recreate:
        return Step(0 if former or leaving else missing, tuple(former))
    room = wanted + strategy.surge - len(current) - len(former)
    return Step(max(0, min(missing, room)), _to_retire(strategy, wanted, current, former))


def _to_retire(
    strategy: Strategy, wanted: int, current: Sequence[R], former: Sequence[R]
) -> tuple[R, ...]:
    """The unready ones go first: they serve nobody and make room for the new."""
    least = wanted - strategy.unavailable
    ready = sum(one.ready for one in current)
    surplus = len(current) + len(former) - least - (len(current) - ready)
    useless = [one for one in former if not one.ready][: max(0, surplus)]
    serving = [one for one in former if one.ready]
    spare = max(0, ready + len(serving) - least)
    return (*useless, *serving[:spare])


def _share(value: Any, wanted: int, *, up: bool) -> int:
    text = str(value)
    if not text.endswith("%"):
        return max(0, int(text))
    exact = int(text[:-1]) * wanted / 100
    return math.ceil(exact) if up else math.floor(exact)
