"""Whatever befalls the controllers, the end is the undisturbed one, and nothing is left over."""

from __future__ import annotations

import asyncio

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from rouse.kube.objects import Object
from tests.unit.controllers.faults import FAULTS, WatchPlan, story

WRITES = 20
"""Up to how many writes the undisturbed story has; one of them may come or not, as Knative's own
writes and the controllers' are made side by side."""
EVERY = 4
REQUESTS = 120


@pytest.fixture(scope="module")
def undisturbed() -> list[Object]:
    end, api, started = asyncio.run(story())
    assert started == 1
    assert WRITES - 6 <= len(api.writes) <= WRITES, api.writes
    return end


def test_the_undisturbed_end(undisturbed: list[Object]) -> None:
    there = [(one["kind"].split()[0], one["name"].partition("/")[2]) for one in undisturbed]
    assert there == [
        ("InferenceService", "iris"),
        ("Service", "iris-predictor"),
        ("Revision", "iris-predictor-00001"),
        ("Revision", "iris-predictor-00002"),
        ("Service", "iris"),
        ("VirtualService", "iris"),
    ]
    (service, *parts) = undisturbed
    assert service["status"]["observedGeneration"] == 3
    assert all(one["owners"] for one in parts), "everything goes with its InferenceService"
    assert all(one["finalizers"] is None for one in undisturbed), "nothing is outside the API"


@pytest.mark.parametrize("write", range(1, WRITES + 1))
async def test_a_crash_after_any_write(undisturbed: list[Object], write: int) -> None:
    end, api, started = await story(crash_after=write)
    assert end == undisturbed
    assert started == (2 if len(api.writes) >= write else 1)


@pytest.mark.parametrize("offset", [1, 3])
@pytest.mark.parametrize("name", FAULTS)
async def test_requests_that_fail_again_and_again(
    undisturbed: list[Object], name: str, offset: int
) -> None:
    faults = {number: FAULTS[name]() for number in range(offset, REQUESTS, EVERY)}
    end, api, _ = await story(faults=faults)
    assert end == undisturbed
    assert len(api.faults) < len(range(offset, REQUESTS, EVERY)), "they did befall"


@pytest.mark.parametrize(
    "watches",
    [
        WatchPlan(drop_after=1),
        WatchPlan(gone_after=1),
        WatchPlan(late=0.02),
        WatchPlan(twice=True),
        WatchPlan(late=0.01, twice=True, drop_after=2),
    ],
    ids=["dropped", "410 Gone", "late", "twice", "late, twice and dropped"],
)
async def test_watches_in_trouble(undisturbed: list[Object], watches: WatchPlan) -> None:
    end, _, _ = await story(watches=watches)
    assert end == undisturbed


SCHEDULES = st.fixed_dictionaries(
    {
        "faults": st.dictionaries(
            st.integers(1, REQUESTS), st.sampled_from(sorted(FAULTS)), max_size=30
        ),
        "crash_after": st.integers(0, WRITES),
        "watches": st.builds(
            WatchPlan,
            drop_after=st.none() | st.integers(1, 5),
            late=st.sampled_from([0.0, 0.01]),
            twice=st.booleans(),
        ),
    }
)


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(schedule=SCHEDULES)
@pytest.mark.timeout(240)
def test_any_schedule_of_faults(undisturbed: list[Object], schedule: Object) -> None:
    faults = {number: FAULTS[name]() for number, name in schedule["faults"].items()}
    end, _, _ = asyncio.run(story(**{**schedule, "faults": faults}))
    assert end == undisturbed
