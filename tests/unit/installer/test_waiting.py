"""When a Deployment is what was applied, and when it only looks so."""

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
