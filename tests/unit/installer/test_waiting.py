"""When Deployments and DaemonSets are what was applied, and when they only look so."""

from __future__ import annotations

import pytest

from rouse.installer.waiting import problem_of


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"observedGeneration": 1}, "is not seen"),
        ({"observedGeneration": 2, "replicas": 1, "availableReplicas": 1}, "has 0 of 1"),
        (
            {"observedGeneration": 2, "replicas": 2, "updatedReplicas": 1, "availableReplicas": 1},
            "still has 1 of its former replicas",
        ),
        ({"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1}, "has 0 of 1"),
        (
            {"observedGeneration": 2, "replicas": 1, "updatedReplicas": 1, "availableReplicas": 1},
            "",
        ),
    ],
)
def test_a_deployment(status: dict[str, int], said: str) -> None:
    live = {
        "kind": "Deployment",
        "metadata": {"name": "d", "generation": 2},
        "spec": {"replicas": 1},
        "status": status,
    }
    assert problem_of(live).startswith(said)
    assert bool(problem_of(live)) == bool(said)


@pytest.mark.parametrize(
    ("status", "said"),
    [
        ({"observedGeneration": 1}, "is not seen"),
        ({"observedGeneration": 2, "desiredNumberScheduled": 1}, "runs on 0 of 1 nodes"),
        (
            {
                "observedGeneration": 2,
                "desiredNumberScheduled": 20,
                "updatedNumberScheduled": 17,
                "numberAvailable": 20,
            },
            "runs on 17 of 20 nodes",
        ),
        (
            {
                "observedGeneration": 2,
                "desiredNumberScheduled": 20,
                "updatedNumberScheduled": 20,
                "numberAvailable": 18,
            },
            "",
        ),
        # No node is to run it.
        ({"observedGeneration": 2, "desiredNumberScheduled": 0}, ""),
    ],
)
def test_a_daemon_set(status: dict[str, int], said: str) -> None:
    live = {"kind": "DaemonSet", "metadata": {"name": "d", "generation": 2}, "status": status}
    assert problem_of(live).startswith(said)
    assert bool(problem_of(live)) == bool(said)
