"""The conditions of a Deployment over the time of a rollout."""

from __future__ import annotations

from typing import Any

from rouse.embedded.knative.replicas import Replica
from rouse.embedded.knative.status.deployment import deployment_status
from rouse.kube.objects import Key
from tests.unit.knative.harness import PodState

Object = dict[str, Any]

DEADLINE_S = 60.0


def at(minute: int, second: int = 0) -> str:
    return f"2026-01-01T00:{minute:02}:{second:02}Z"


def replica(*, ready: bool) -> Replica:
    state = PodState("n", "p", ready=ready, port=1 if ready else None)
    return Replica(Key("n", "p"), {"metadata": {}}, "h", state=state)


def step(
    before: Object, now: str, *, ready: bool = False, deadline_s: float | None = DEADLINE_S
) -> Object:
    deployment: Object = {"metadata": {"name": "iris", "generation": 1}, "spec": {}}
    deployment["status"] = before
    found = [replica(ready=ready)]
    return deployment_status(deployment, found, wanted=1, now=now, deadline_s=deadline_s)


def progressing(status: Object) -> tuple[str, str]:
    [found] = [each for each in status["conditions"] if each["type"] == "Progressing"]
    return found["status"], found["reason"]


def test_a_rollout_without_progress_is_late_and_recovers() -> None:
    status = step({}, at(0))
    assert progressing(status) == ("True", "ReplicaSetUpdated")
    assert step(status, at(0, 59)) == status
    late = step(status, at(1))
    assert progressing(late) == ("False", "ProgressDeadlineExceeded")
    [condition] = [each for each in late["conditions"] if each["type"] == "Progressing"]
    assert condition["message"] == 'Deployment "iris" has timed out progressing.'
    assert step(late, at(5)) == late
    assert progressing(step(late, at(6), ready=True)) == ("True", "NewReplicaSetAvailable")


def test_what_was_complete_is_never_late() -> None:
    status = step(step({}, at(0)), at(0, 30), ready=True)
    broken = step(status, at(1))
    assert progressing(broken) == ("True", "NewReplicaSetAvailable")
    assert progressing(step(broken, at(30))) == ("True", "NewReplicaSetAvailable")


def test_nobody_is_late_where_somebody_else_watches() -> None:
    status = step({}, at(0), deadline_s=None)
    assert step(status, at(30), deadline_s=None) == status


def test_a_refused_pod_is_told_until_it_is_taken() -> None:
    deployment: Object = {"metadata": {"name": "iris", "generation": 1}, "spec": {}}
    refused = deployment_status(
        deployment, [replica(ready=False)], wanted=1, now=at(0), refused="exceeded quota: team"
    )
    [condition] = [each for each in refused["conditions"] if each["type"] == "ReplicaFailure"]
    assert (condition["status"], condition["reason"]) == ("True", "FailedCreate")
    assert condition["message"] == "exceeded quota: team"
    taken = step(refused, at(1), ready=True)
    assert {each["type"] for each in taken["conditions"]} == {"Available", "Progressing"}


def test_a_rollout_is_complete_once_its_replicas_are_available() -> None:
    deployment: Object = {"metadata": {"name": "iris", "generation": 1}, "spec": {}}
    young = deployment_status(deployment, [replica(ready=True)], wanted=1, now=at(0), available=0)
    assert (young["readyReplicas"], young["unavailableReplicas"]) == (1, 1)
    assert "availableReplicas" not in young
    assert progressing(young) == ("True", "ReplicaSetUpdated")
    deployment["status"] = young
    old = deployment_status(deployment, [replica(ready=True)], wanted=1, now=at(1), available=1)
    assert old["availableReplicas"] == 1
    assert progressing(old) == ("True", "NewReplicaSetAvailable")
