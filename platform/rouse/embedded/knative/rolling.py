"""How a Deployment gets from one template to the next: Kubernetes' rolling update. Pure."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Protocol, TypeVar

from rouse.kube.objects import Object

__all__ = ["Step", "Strategy", "is_paused", "min_ready_s", "next_step", "strategy_of"]

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


def min_ready_s(deployment: Object) -> float:
    """How long a replica must have been ready to count as available, in seconds."""
    return float(deployment["spec"].get("minReadySeconds") or 0)


def _is_ready(replica: _HasReady) -> bool:
    return replica.ready


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
    strategy: Strategy,
    wanted: int,
    current: Sequence[R],
    former: Sequence[R],
    *,
    leaving: int = 0,
    is_available: Callable[[R], bool] = _is_ready,
) -> Step[R]:
    """Decide by the replicas of the present template and of former ones, the retiring left out.

    ``leaving`` is how many former ones retire already; Recreate waits for their end.
    ``is_available`` is whether a replica counts, by default once it is ready.
    """
    missing = max(0, wanted - len(current))
    if strategy.recreate:
        return Step(0 if former or leaving else missing, tuple(former))
    room = wanted + strategy.surge - len(current) - len(former)
    least = wanted - strategy.unavailable
    available = sum(map(is_available, current))
    useless = [one for one in former if not is_available(one)]
    serving = [one for one in former if is_available(one)]
    # Those that do not count go first: they make room for the new.
    surplus = max(0, available + len(former) - least)
    spare = max(0, available + len(serving) - least)
    return Step(max(0, min(missing, room)), (*useless[:surplus], *serving[:spare]))


def _share(value: Any, wanted: int, *, up: bool) -> int:
    text = str(value)
    if not text.endswith("%"):
        return max(0, int(text))
    exact = int(text[:-1]) * wanted / 100
    return math.ceil(exact) if up else math.floor(exact)
