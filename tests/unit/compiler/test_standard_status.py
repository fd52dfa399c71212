"""The mode Standard: the status that Deployments give."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import pytest

from tests.unit.compiler.standard import HASH, Object, compiled, found


def live(
    conditions: Mapping[str, tuple[str, str]], *, current: bool = True, **counts: Any
) -> dict[str, Object]:
    deployment = found(compiled(), "Deployment")
    deployment["metadata"]["generation"] = 3
    if not current:
        deployment["metadata"]["annotations"] = {HASH: "older"}
    deployment["spec"]["replicas"] = 1
    deployment["status"] = {
        "observedGeneration": 3,
        "replicas": 1,
        **counts,
        "conditions": [
            {"type": type_, "status": status, "reason": f"{type_}Reason", "message": message}
            for type_, (status, message) in conditions.items()
        ],
    }
    return {"iris-predictor": deployment}


UP = {"Available": ("True", "")}


DOWN = {"Available": ("False", "no replica")}


STUCK = {"Progressing": ("False", "took too long.")}


SERVING: Object = {"updatedReplicas": 1, "availableReplicas": 1, "readyReplicas": 1}


@pytest.mark.parametrize(
    ("deployments", "ready", "latest", "states"),
    [
        ({}, "Unknown", "Unknown", ("InProgress", "Pending", "Loading")),
        (live(UP, current=False), "Unknown", "Unknown", ("InProgress", "Pending", "Loading")),
        (live({}), "Unknown", "Unknown", ("InProgress", "Pending", "Loading")),
        (live(DOWN), "False", "Unknown", ("InProgress", "Pending", "Loading")),
        (live(UP, **SERVING), "True", "True", ("UpToDate", "Loaded", "Loaded")),
        (
            live(UP, replicas=2, updatedReplicas=1, availableReplicas=1),
            "True",
            "Unknown",
            ("InProgress", "Loaded", "Loading"),
        ),
        (
            live({**UP, **STUCK}),
            "True",
            "False",
            ("BlockedByFailedLoad", "Loaded", "FailedToLoad"),
        ),
        (
            live({**DOWN, **STUCK}),
            "False",
            "False",
            ("BlockedByFailedLoad", "FailedToLoad", "FailedToLoad"),
        ),
        (
            live({**DOWN, "ReplicaFailure": ("True", "quota")}),
            "False",
            "False",
            ("BlockedByFailedLoad", "FailedToLoad", "FailedToLoad"),
        ),
    ],
)
def test_the_status_tells_of_the_deployment(
    deployments: Mapping[str, Object], ready: str, latest: str, states: tuple[str, str, str]
) -> None:
    status = compiled(deployments=deployments).status
    conditions = {each["type"]: each["status"] for each in status["conditions"]}
    assert conditions["PredictorReady"] == ready
    assert conditions["LatestDeploymentReady"] == latest
    model = status["modelStatus"]
    assert (model["transitionStatus"], *model["states"].values()) == states
    assert status["deploymentMode"] == "Standard"
    assert status["observedGeneration"] == 2


def test_a_failed_rollout_says_what_goes_on() -> None:
    status = compiled(deployments=live({**UP, **STUCK})).status
    [latest] = [c for c in status["conditions"] if c["type"] == "LatestDeploymentReady"]
    assert latest["reason"] == "ProgressingReason"
    assert latest["message"] == (
        "the latest template failed: took too long. The replicas before go on serving"
    )
    later = compiled(deployments=live({**UP, **STUCK}), before=status).status
    assert later == status


def test_a_canary_is_told_about_once() -> None:
    first = compiled({"canaryTrafficPercent": 10})
    assert [event.reason for event in first.events] == ["CanaryIgnored"]
    again = compiled({"canaryTrafficPercent": 10}, before=first.status)
    assert again.events == ()


def test_a_wake_up_and_another_start_are_told() -> None:
    wake = {"time": "2026-01-01T00:00:00Z", "pod": "a", "totalMs": 9000.0, "phases": {"load": 1.0}}
    more = {**wake, "time": "2026-01-01T00:01:00Z", "pod": "b", "cause": "scale-up"}
    status = compiled(activations=[wake, more]).status
    assert status["coldStart"]["count"] == 1
    assert status["starts"] == [more]
    again = compiled(before=status).status
    assert (again["coldStart"], again["starts"]) == (status["coldStart"], status["starts"])
