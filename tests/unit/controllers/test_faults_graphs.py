"""Whatever befalls the controllers, a graph ends as it does undisturbed, and leaves nothing."""

from __future__ import annotations

import asyncio
from typing import Any

import pytest

from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_GRAPHS, VIRTUAL_SERVICES
from tests.unit.controllers.faults import (
    FAULTS,
    Cluster,
    FaultyApi,
    Supervisor,
    WatchPlan,
    rest,
    world,
)
from tests.unit.controllers.graphs import GRAPH, graph
from tests.unit.controllers.harness import service

WRITES = 26
"""Up to how many writes the undisturbed story has."""
EVERY = 4
REQUESTS = 90


async def live(cluster: Cluster) -> None:
    """A graph before its service, its service, another version of it, and another graph's end."""
    for name in (GRAPH.name, "gone"):
        await cluster.user.apply(graph("iris", name=name))
    await cluster.user.apply(service())
    await cluster.knative(1)
    await cluster.knative(1, GRAPH.name)
    await cluster.until(lambda: _serves(cluster, f"{GRAPH.name}-00001"), "the first revision")
    await cluster.user.apply(graph("iris", timeout=5))
    await cluster.knative(2, GRAPH.name)
    await cluster.until(lambda: _serves(cluster, f"{GRAPH.name}-00002"), "the second revision")
    await cluster.user.delete(INFERENCE_GRAPHS, "gone", GRAPH.namespace)
    await cluster.until(lambda: cluster.get(VIRTUAL_SERVICES, "gone") is None, "the deletion")


def _serves(cluster: Cluster, revision: str) -> bool:
    ready = cluster.is_ready(GRAPH.name, INFERENCE_GRAPHS)
    return ready and cluster.split(GRAPH.name) == [(revision, 100)]


async def story(**faults: Any) -> tuple[list[Object], FaultyApi, int]:
    async with world(**faults) as (cluster, api), Supervisor(api) as supervisor:
        await live(cluster)
        return await rest(cluster, api), api, supervisor.started


@pytest.fixture(scope="module")
def undisturbed() -> list[Object]:
    end, api, started = asyncio.run(story())
    assert started == 1
    assert WRITES - 8 <= len(api.writes) <= WRITES, api.writes
    return end


def test_the_undisturbed_end(undisturbed: list[Object]) -> None:
    there = [(one["kind"].split()[0], one["name"].partition("/")[2]) for one in undisturbed]
    assert there == [
        ("InferenceGraph", "flow"),
        ("InferenceService", "iris"),
        ("Service", "flow"),
        ("Service", "iris-predictor"),
        ("Revision", "flow-00001"),
        ("Revision", "flow-00002"),
        ("Revision", "iris-predictor-00001"),
        ("Service", "iris"),
        ("VirtualService", "flow"),
        ("VirtualService", "iris"),
    ]
    assert undisturbed[0]["status"]["url"] == "http://flow.default.localhost"


@pytest.mark.parametrize("write", range(1, WRITES + 1, 3))
async def test_a_crash_after_a_write(undisturbed: list[Object], write: int) -> None:
    end, api, started = await story(crash_after=write)
    assert end == undisturbed
    assert started == (2 if len(api.writes) >= write else 1)


@pytest.mark.parametrize("name", FAULTS)
async def test_requests_that_fail_again_and_again(undisturbed: list[Object], name: str) -> None:
    faults = {number: FAULTS[name]() for number in range(2, REQUESTS, EVERY)}
    end, api, _ = await story(faults=faults)
    assert end == undisturbed
    assert len(api.faults) < len(range(2, REQUESTS, EVERY)), "they did befall"


@pytest.mark.parametrize(
    "watches", [WatchPlan(gone_after=1), WatchPlan(late=0.01, twice=True, drop_after=2)]
)
async def test_watches_in_trouble(undisturbed: list[Object], watches: WatchPlan) -> None:
    end, _, _ = await story(watches=watches)
    assert end == undisturbed
