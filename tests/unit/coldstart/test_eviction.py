"""What goes from a node's cache, in which order, and what never does."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from perf.eviction import compare, make_trace
from rouse.coldstart.eviction import DEFAULT_POLICY, Entry, Policy, choose, value_of


def names(entries: tuple[Entry, ...]) -> list[str]:
    return [each.name for each in entries]


@pytest.mark.parametrize(
    ("policy", "first"),
    [(Policy.LRU, "old"), (Policy.LFU, "rare"), (Policy.GDSF, "large")],
)
def test_each_policy_gives_up_something_else(policy: Policy, first: str) -> None:
    entries = [
        Entry("old", 100, uses=9, used_at=1.0),
        Entry("rare", 100, uses=1, used_at=3.0),
        Entry("large", 1000, uses=5, used_at=2.0),
    ]
    found = choose(entries, 1, budget=1200, policy=policy)
    assert names(found.gone) == [first]
    assert found.age == value_of(found.gone[0], policy)


def test_what_was_used_often_long_ago_is_overtaken() -> None:
    age, turns, gone = 0.0, 0, ["now"]
    while gone == ["now"]:
        entries = [Entry("former", 10, uses=50), Entry("now", 10, age=age)]
        found = choose(entries, 10, budget=20, policy=Policy.LFU, age=age)
        age, gone, turns = found.age, names(found.gone), turns + 1
    assert (gone, turns) == (["former"], 50)


def test_the_costly_to_fetch_stays() -> None:
    entries = [Entry("near", 10, cost=0.1), Entry("far", 10, cost=60.0)]
    assert names(choose(entries, 5, budget=20).gone) == ["near"]


def test_nothing_goes_for_what_does_not_fit() -> None:
    entries = [Entry("running", 80, held=True), Entry("idle", 20)]
    found = choose(entries, 30, budget=100)
    assert (found.gone, found.freed, found.short) == ((), 0, 10)
    assert not choose([Entry("idle", 20)], 80, budget=100).gone
    assert choose([Entry("idle", 20)], 80, budget=100, taken=1).freed == 20


def test_no_more_goes_than_is_needed() -> None:
    entries = [Entry("small", 10, used_at=1.0), Entry("large", 90, used_at=2.0)]
    assert names(choose(entries, 85, budget=100, policy=Policy.LRU).gone) == ["large"]


ENTRIES = st.lists(
    st.builds(
        Entry,
        name=st.text(min_size=1, max_size=4),
        size=st.integers(0, 1000),
        uses=st.integers(0, 50),
        used_at=st.floats(0, 1e6),
        cost=st.floats(0, 100),
        age=st.floats(0, 100),
        held=st.booleans(),
    ),
    max_size=12,
    unique_by=lambda each: each.name,
)


@given(ENTRIES, st.integers(0, 3000), st.integers(1, 3000), st.sampled_from(Policy))
def test_the_budget_holds_and_what_is_held_stays(
    entries: list[Entry], needed: int, budget: int, policy: Policy
) -> None:
    found = choose(entries, needed, budget=budget, policy=policy)
    assert not any(each.held for each in found.gone)
    assert found.freed == sum(each.size for each in found.gone)
    left = sum(each.size for each in entries) - found.freed
    if found.short:
        assert not found.gone
        assert sum(each.size for each in entries if each.held) + needed - budget == found.short
    else:
        assert left + needed <= budget
        # None of them could have stayed.
        assert not any(left + each.size + needed <= budget for each in found.gone)


def test_the_default_leaves_callers_waiting_least() -> None:
    assert make_trace(50, 100, 1) == make_trace(50, 100, 1)
    found = compare(120, 2500, [1, 2])
    assert min(found, key=lambda policy: found[policy].wait_s) is DEFAULT_POLICY
    assert found[Policy.GDSF].object_hits > found[Policy.LRU].object_hits
