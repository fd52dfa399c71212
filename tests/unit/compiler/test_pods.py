"""What pods tell about a model: copies, and why it was not loaded."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.compiler.pods import latest_pods, with_pods

Object = dict[str, Any]

TIME = "2026-01-01T00:00:00Z"


def pod(name: str = "p", *, made: str = TIME, template: str = "1", **status: Any) -> Object:
    labels = {"app": "iris", "pod-template-hash": template}
    return {
        "metadata": {"name": name, "labels": labels, "creationTimestamp": made},
        "status": {"phase": "Running", **status},
    }


READY: Object = {"conditions": [{"type": "Ready", "status": "True"}]}


def ended(name: str, **how: Any) -> Object:
    given = {"exitCode": 1, "reason": "Error", "finishedAt": TIME, **how}
    return {"name": name, "state": {"terminated": given}}


def looping(name: str, **how: Any) -> Object:
    state = {"waiting": {"reason": "CrashLoopBackOff"}}
    return {"name": name, "state": state, "lastState": ended(name, **how)["state"]}


def model(target: str = "Loading", **more: Any) -> Object:
    return {
        "transitionStatus": "InProgress",
        "states": {"activeModelState": "Pending", "targetModelState": target},
        **more,
    }


def told(*pods: Object, before: Object | None = None, **given: Any) -> Object:
    return with_pods(model(**given), pods, before or {}, location="iris-predictor")


@pytest.mark.parametrize(
    ("status", "exit_code", "message"),
    [
        ({"initContainerStatuses": [ended("storage-initializer", message="no\n")]}, 1, "no"),
        ({"initContainerStatuses": [looping("storage-initializer", exitCode=2)]}, 2, "exit code 2"),
        ({"containerStatuses": [ended("kserve-container", message="bad")]}, 1, "bad"),
        (
            {"containerStatuses": [looping("kserve-container", exitCode=137, reason="OOMKilled")]},
            137,
            "OOMKilled",
        ),
    ],
)
def test_a_container_that_ended_tells_why_the_model_was_not_loaded(
    status: Object, exit_code: int, message: str
) -> None:
    got = told(pod(**status))
    assert got["transitionStatus"] == "BlockedByFailedLoad"
    assert got["states"] == {
        "activeModelState": "FailedToLoad",
        "targetModelState": "FailedToLoad",
    }
    info = got["lastFailureInfo"]
    assert (info["reason"], info["exitCode"]) == ("ModelLoadFailed", exit_code)
    assert message in info["message"]
    assert (info["location"], info["time"]) == ("iris-predictor", TIME)
    assert got["copies"] == {"failedCopies": 1, "totalCopies": 0}


@pytest.mark.parametrize(
    "status",
    [
        {},
        {"initContainerStatuses": [ended("storage-initializer", exitCode=0, reason="Completed")]},
        {"initContainerStatuses": [ended("mine")], "containerStatuses": [looping("beside")]},
        {"containerStatuses": [{"name": "kserve-container", "state": {"running": {}}}]},
    ],
)
def test_what_is_no_failure_of_the_model(status: Object) -> None:
    assert told(pod(**status)) == model(copies={"failedCopies": 0, "totalCopies": 0})


def test_the_same_failure_again_changes_nothing() -> None:
    first = told(pod(containerStatuses=[looping("kserve-container")]))
    later = pod(containerStatuses=[looping("kserve-container", finishedAt="2026-01-01T01:00:00Z")])
    assert told(later, before=first) == first


def test_between_two_tries_the_failure_is_remembered_and_after_success_it_is_not() -> None:
    failed = told(pod(containerStatuses=[looping("kserve-container")]))
    trying = told(pod(), before=failed)
    assert trying["lastFailureInfo"] == failed["lastFailureInfo"]
    assert trying["transitionStatus"] == "InProgress"
    serving = told(pod(**READY), before=trying, target="Loaded")
    assert "lastFailureInfo" not in serving
    assert serving["copies"] == {"failedCopies": 0, "totalCopies": 1}


def test_a_replica_that_fails_beside_others_is_counted_only() -> None:
    broken = pod("b", containerStatuses=[looping("kserve-container")])
    got = told(pod(**READY), broken, target="Loaded")
    assert got["copies"] == {"failedCopies": 1, "totalCopies": 1}
    assert got["transitionStatus"] == "InProgress"


def test_a_condition_that_knows_the_exit_code_is_kept() -> None:
    known = {"reason": "ModelLoadFailed", "exitCode": 3, "message": "the whole log"}
    broken = pod(containerStatuses=[looping("kserve-container")])
    got = told(broken, target="FailedToLoad", lastFailureInfo=known)
    assert got["lastFailureInfo"] == known


def test_only_pods_of_the_newest_template_count() -> None:
    old, new = pod("a"), pod("b", template="2", made="2026-01-02T00:00:00Z")
    gone = pod("c", template="3", made="2026-01-03T00:00:00Z")
    gone["metadata"]["deletionTimestamp"] = TIME
    assert latest_pods([old, new, gone], {"app": "iris"}) == [new]
    assert latest_pods([old], {"app": "wine"}) == []
