"""Rolling updates: Kubernetes' arithmetic, step by step."""

from __future__ import annotations

from dataclasses import dataclass

import pytest

from rouse.embedded.knative.rolling import Strategy, next_step, strategy_of
from rouse.kube.objects import Object


@dataclass(eq=False)
class One:
    ready: bool = True


def deployment(**strategy: object) -> Object:
    return {"spec": {"strategy": strategy} if strategy else {}}


@pytest.mark.parametrize(
    ("given", "wanted", "surge", "unavailable"),
    [
        ({}, 1, 1, 0),
        ({}, 4, 1, 1),
        ({}, 10, 3, 2),
        ({"maxSurge": 0, "maxUnavailable": 0}, 3, 0, 1),
        ({"maxSurge": 2, "maxUnavailable": "50%"}, 3, 2, 1),
        ({"maxSurge": "100%", "maxUnavailable": 0}, 3, 3, 0),
    ],
)
def test_shares_are_rounded_as_kubernetes_does(
    given: Object, wanted: int, surge: int, unavailable: int
) -> None:
    made = deployment(type="RollingUpdate", rollingUpdate=given)
    assert strategy_of(made, wanted) == Strategy(surge, unavailable)


def test_no_strategy_is_the_default() -> None:
    assert strategy_of(deployment(), 8) == Strategy(2, 2)


@pytest.mark.parametrize("given", [{}, {"maxSurge": 0}, {"maxUnavailable": 0, "maxSurge": 1}])
def test_an_update_never_leaves_its_bounds_and_ends(given: Object) -> None:
    wanted = 4
    strategy = strategy_of(deployment(type="RollingUpdate", rollingUpdate=given), wanted)
    former, current = [One() for _ in range(wanted)], list[One]()
    for _ in range(50):
        step = next_step(strategy, wanted, current, former)
        former = [one for one in former if one not in step.retire]
        current += [One(ready=False) for _ in range(step.launch)]
        serving = sum(one.ready for one in (*current, *former))
        assert serving >= wanted - strategy.unavailable
        assert len(current) + len(former) <= wanted + strategy.surge
        starting = next((one for one in current if not one.ready), None)
        if starting is not None:
            starting.ready = True
    assert (len(current), len(former)) == (wanted, 0)


def test_former_replicas_that_never_became_ready_make_room_at_once() -> None:
    former = [One(ready=False)]
    step = next_step(Strategy(1, 0), 1, [One(ready=False)], former)
    assert step.retire == ()
    step = next_step(Strategy(1, 0), 1, [One()], former)
    assert step.retire == tuple(former)


def test_recreate_waits_for_the_end_of_all_former_ones() -> None:
    strategy = strategy_of(deployment(type="Recreate"), 2)
    former = [One(), One()]
    assert next_step(strategy, 2, list[One](), former).launch == 0
    assert next_step(strategy, 2, list[One](), former).retire == tuple(former)
    assert next_step(strategy, 2, list[One](), list[One](), leaving=1).launch == 0
    assert next_step(strategy, 2, list[One](), list[One]()).launch == 2
