"""How standby pods are shared out: by sleepers, within the budget, and stably."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.coldstart.standby import Budget, Group, Place, allocate

GI = 1 << 30


def group(namespace: str, services: int, *, runtime: str = "sklearn", memory: int = GI) -> Group:
    return Group(Place(namespace, "s"), runtime, services, memory)


def shares(*groups: Group, **budgets: Budget) -> dict[str, int]:
    return {place.namespace: count for place, count in allocate(groups, budgets).items()}


@pytest.mark.parametrize(
    ("count", "wanted"),
    [
        (0, {}),
        (1, {"a": 1}),
        (2, {"a": 2}),  # 3 services for each of its two pods, against 2 of b's first
        (3, {"a": 2, "b": 1}),
        (4, {"a": 3, "b": 1}),
        (100, {"a": 6, "b": 2}),  # never more than sleepers
    ],
)
def test_pods_go_where_most_services_sleep(count: int, wanted: dict[str, int]) -> None:
    assert shares(group("b", 2), group("a", 6), sklearn=Budget(count)) == wanted


def test_memory_is_a_budget_too_and_what_does_not_fit_is_passed_over() -> None:
    large, small = group("a", 9, memory=3 * GI), group("b", 2, memory=GI)
    assert shares(large, small, sklearn=Budget(9, 5 * GI)) == {"a": 1, "b": 2}
    assert shares(large, small, sklearn=Budget(9, 2 * GI)) == {"b": 2}
    assert shares(large, small, sklearn=Budget(9, GI // 2)) == {}


def test_runtimes_have_budgets_of_their_own() -> None:
    groups = group("a", 2), group("b", 2, runtime="torch"), group("c", 2, runtime="other")
    assert shares(*groups, sklearn=Budget(1), torch=Budget(2)) == {"a": 1, "b": 2}


SERVICES = st.lists(st.integers(0, 6), min_size=1, max_size=6)


@given(services=SERVICES, count=st.integers(0, 12))
def test_a_larger_budget_takes_from_nobody(services: list[int], count: int) -> None:
    groups = [group(f"n{index}", each) for index, each in enumerate(services)]
    less = allocate(groups, {"sklearn": Budget(count)})
    more = allocate(reversed(groups), {"sklearn": Budget(count + 1)})
    assert all(more[place] >= given for place, given in less.items())
    assert sum(less.values()) == min(count, sum(services))
