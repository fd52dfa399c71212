"""What is applied of a decision: bounds, the first start, and every step down to zero."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.autoscaler import (
    Activity,
    AutoscalerConfig,
    AutoscalerSpec,
    Facts,
    Verdict,
    judge,
    resolve_spec,
)

SPEC = resolve_spec({}, AutoscalerConfig(target_burst_capacity=0))
ACTIVATING, ACTIVE, INACTIVE = Activity.ACTIVATING, Activity.ACTIVE, Activity.INACTIVE
SERVING = Facts(
    now=1000,
    desired=1,
    excess_burst_capacity=0,
    ready=1,
    activity=ACTIVE,
    since=990,
    initialized=True,
    reachable=True,
    activator_confirmed=False,
)
NEW = replace(SERVING, desired=None, ready=0, activity=ACTIVATING, initialized=False)
DRAINING = replace(SERVING, desired=0, activity=INACTIVE)

# (what it shows, spec changes, facts, want, replicas, activator in path, next activity)
Row = tuple[str, dict[str, Any], Facts, int | None, int | None, bool, Activity]
TABLE: list[Row] = [
    ("a new revision proves itself with one", {}, NEW, 1, 1, False, ACTIVATING),
    ("... or with its initial scale", {"initial_scale": 3}, NEW, 3, 3, False, ACTIVATING),
    ("... or its minimum, if larger", {"min_scale": 4}, NEW, 4, 4, False, ACTIVATING),
    ("... within its maximum", {"initial_scale": 5, "max_scale": 2}, NEW, 2, 2, False, ACTIVATING),
    (
        "an initial scale of zero starts nothing",
        {"initial_scale": 0},
        NEW,
        None,
        None,
        False,
        ACTIVATING,
    ),
    ("ready makes it active", {}, replace(NEW, ready=1), 1, 1, False, ACTIVE),
    (
        "fewer than the initial scale are not enough",
        {"initial_scale": 2},
        replace(NEW, ready=1),
        2,
        2,
        False,
        ACTIVATING,
    ),
    ("within bounds as decided", {}, replace(SERVING, desired=7), 7, 7, False, ACTIVE),
    ("raised to the minimum", {"min_scale": 3}, replace(SERVING, ready=3), 3, 3, False, ACTIVE),
    (
        "below the minimum it is activating",
        {"min_scale": 3},
        SERVING,
        3,
        3,
        False,
        ACTIVATING,
    ),
    (
        "cut to the maximum",
        {"max_scale": 2},
        replace(SERVING, desired=7),
        2,
        2,
        False,
        ACTIVE,
    ),
    (
        "no minimum for what no route leads to",
        {"min_scale": 3},
        replace(SERVING, reachable=False, desired=0, since=900),
        0,
        None,
        True,
        INACTIVE,
    ),
    ("no data: leave it", {}, replace(SERVING, desired=None), None, None, False, ACTIVE),
    ("idle, but active for too short", {}, replace(SERVING, desired=0), 1, 1, False, ACTIVE),
    (
        "idle for the window: inactive, its pods stay",
        {},
        replace(SERVING, desired=0, since=940),
        0,
        None,
        True,
        INACTIVE,
    ),
    ("not confirmed: pods stay", {}, replace(DRAINING, since=0), 0, None, True, INACTIVE),
    (
        "confirmed, within grace: pods stay",
        {},
        replace(DRAINING, since=971, activator_confirmed=True),
        0,
        None,
        True,
        INACTIVE,
    ),
    (
        "confirmed and past grace: pods go",
        {},
        replace(DRAINING, since=970, activator_confirmed=True),
        0,
        0,
        True,
        INACTIVE,
    ),
    (
        "a longer retention keeps them",
        {"pod_retention_s": 100.0},
        replace(DRAINING, since=901, activator_confirmed=True),
        0,
        None,
        True,
        INACTIVE,
    ),
    (
        "... until it is over",
        {"pod_retention_s": 100.0},
        replace(DRAINING, since=900, activator_confirmed=True),
        0,
        0,
        True,
        INACTIVE,
    ),
    ("traffic while draining turns back", {}, replace(DRAINING, desired=1), 1, 1, False, ACTIVE),
    (
        "asleep: nothing to say, the activator stays",
        {},
        replace(DRAINING, desired=None, ready=0, since=0),
        None,
        None,
        True,
        INACTIVE,
    ),
    (
        "asleep, woken",
        {},
        replace(DRAINING, desired=1, ready=0, since=0),
        1,
        1,
        False,
        ACTIVATING,
    ),
    (
        "asleep when a minimum becomes due",
        {"min_scale": 2},
        replace(DRAINING, desired=None, ready=0, since=0),
        2,
        2,
        False,
        ACTIVATING,
    ),
    (
        "activating and idle: wait",
        {},
        replace(SERVING, desired=0, ready=0, activity=ACTIVATING),
        None,
        None,
        False,
        ACTIVATING,
    ),
    (
        "just short of the activation deadline",
        {},
        replace(NEW, since=370.5),
        1,
        1,
        False,
        ACTIVATING,
    ),
    ("a failed activation is given up", {}, replace(NEW, since=370), 0, 0, True, INACTIVE),
    (
        "... even with requests waiting",
        {},
        replace(NEW, since=370, desired=4),
        0,
        0,
        True,
        INACTIVE,
    ),
    (
        "... but not below the minimum",
        {"min_scale": 1},
        replace(NEW, since=370),
        1,
        1,
        False,
        ACTIVATING,
    ),
    (
        "a first start that a newer revision made pointless",
        {},
        replace(NEW, reachable=False),
        0,
        0,
        True,
        INACTIVE,
    ),
    (
        "... unless somebody asks for it",
        {},
        replace(NEW, reachable=False, desired=1),
        1,
        1,
        False,
        ACTIVATING,
    ),
    (
        "waking again without a route is not given up",
        {},
        replace(NEW, reachable=False, initialized=True),
        None,
        None,
        False,
        ACTIVATING,
    ),
    (
        "scaling to zero switched off",
        {"enable_scale_to_zero": False},
        replace(SERVING, desired=0, since=0),
        1,
        1,
        False,
        ACTIVE,
    ),
    (
        "too little burst capacity: activator in the path",
        {},
        replace(SERVING, excess_burst_capacity=-1),
        1,
        1,
        True,
        ACTIVE,
    ),
    ("no ready pod left: activating", {}, replace(SERVING, ready=0), 1, 1, False, ACTIVATING),
]


@pytest.mark.parametrize(
    ("changes", "facts", "want", "replicas", "in_path", "activity"),
    [row[1:] for row in TABLE],
    ids=[row[0] for row in TABLE],
)
def test_judge(
    changes: dict[str, Any],
    facts: Facts,
    want: int | None,
    replicas: int | None,
    in_path: bool,
    activity: Activity,
) -> None:
    verdict = judge(replace(SPEC, **changes), facts)
    assert verdict == Verdict(want, replicas, in_path, activity, gave_up=verdict.gave_up)


def test_giving_up_is_told_from_sleeping() -> None:
    assert judge(SPEC, replace(NEW, since=370)).gave_up is True
    assert judge(SPEC, replace(DRAINING, since=0, activator_confirmed=True)).gave_up is False


def test_the_progress_deadline_is_the_revisions() -> None:
    patient = replace(NEW, since=0, now=1200, progress_deadline_s=1200.0)
    assert judge(SPEC, patient).replicas == 1
    assert judge(SPEC, replace(patient, now=1230)).replicas == 0


def _facts() -> st.SearchStrategy[Facts]:
    return st.builds(
        Facts,
        now=st.floats(0, 10_000),
        desired=st.none() | st.integers(0, 50),
        excess_burst_capacity=st.integers(-5, 5),
        ready=st.integers(0, 20),
        activity=st.sampled_from(Activity),
        since=st.floats(0, 10_000),
        initialized=st.booleans(),
        reachable=st.booleans(),
        activator_confirmed=st.booleans(),
    )


def _specs() -> st.SearchStrategy[AutoscalerSpec]:
    return st.builds(
        lambda least, more, initial, zero: replace(
            SPEC,
            min_scale=least,
            max_scale=least + more if more else 0,
            initial_scale=initial,
            enable_scale_to_zero=zero,
        ),
        st.integers(0, 5),
        st.integers(0, 5),
        st.integers(0, 8),
        st.booleans(),
    )


@given(spec=_specs(), facts=_facts())
def test_invariants(spec: AutoscalerSpec, facts: Facts) -> None:
    verdict = judge(spec, facts)
    if verdict.replicas is not None and spec.max_scale:
        assert verdict.replicas <= spec.max_scale
    if verdict.replicas is not None and facts.reachable:
        assert verdict.replicas >= spec.min_scale
    if verdict.replicas == 0:
        # Never while active, and never before the activator takes the requests.
        assert facts.activity is not Activity.ACTIVE
        assert verdict.activator_in_path
        assert facts.activity is Activity.ACTIVATING or facts.activator_confirmed
    if verdict.activity is Activity.INACTIVE:
        assert verdict.activator_in_path
