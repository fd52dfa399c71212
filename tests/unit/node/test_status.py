"""PodState -> Pod status."""

from __future__ import annotations

from dataclasses import replace

from rouse.embedded.node.state import ContainerState, PodState, Terminated
from rouse.embedded.node.status import make_pod_status

NOW = 1_767_225_600.0
STAMP = "2026-01-01T00:00:00Z"
RUNNING = ContainerState(
    "main", "img", "running", "", started_at=NOW, started=True, ready=True, pid=7
)
STATE = PodState(
    "default", "p", "Running", True, 4000, initialized=True, started_at=NOW, containers=(RUNNING,)
)


def conditions(status: dict[str, object]) -> dict[str, str]:
    found = status["conditions"]
    assert isinstance(found, list)
    return {c["type"]: c["status"] for c in found}


def test_a_ready_pod() -> None:
    status = make_pod_status(STATE, {}, NOW)
    assert set(conditions(status).values()) == {"True"}
    assert (status["phase"], status["podIP"], status["hostIP"]) == ("Running", *["127.0.0.1"] * 2)
    assert status["containerStatuses"] == [
        {
            "name": "main",
            "image": "img",
            "imageID": "local://img",
            "containerID": "process://7",
            "ready": True,
            "started": True,
            "restartCount": 0,
            "state": {"running": {"startedAt": STAMP}},
            "lastState": {},
        }
    ]


def test_transition_times_move_with_the_status_only() -> None:
    first = make_pod_status(STATE, {}, NOW)
    unready = replace(STATE, containers=(replace(RUNNING, ready=False),))
    second = make_pod_status(unready, first, NOW + 60)
    times = {c["type"]: c["lastTransitionTime"] for c in second["conditions"]}
    assert times["PodScheduled"] == STAMP
    assert times["Ready"] == "2026-01-01T00:01:00Z"
    ready = next(c for c in second["conditions"] if c["type"] == "Ready")
    assert ready["reason"] == "ContainersNotReady"
    assert ready["message"] == "containers with unready status: [main]"


def test_a_crashed_container_shows_its_last_words() -> None:
    last = Terminated(137, 9, "Error", "out of luck", NOW, NOW + 1)
    waiting = ContainerState("main", "img", "waiting", "CrashLoopBackOff", "why", last=last)
    (status,) = make_pod_status(replace(STATE, containers=(waiting,)), {}, NOW)["containerStatuses"]
    assert status["state"] == {"waiting": {"reason": "CrashLoopBackOff", "message": "why"}}
    assert status["lastState"]["terminated"] == {
        "exitCode": 137,
        "signal": 9,
        "reason": "Error",
        "message": "out of luck",
        "startedAt": STAMP,
        "finishedAt": "2026-01-01T00:00:01Z",
    }


def test_a_stopping_pod_is_not_ready() -> None:
    status = make_pod_status(replace(STATE, terminating=True), {}, NOW)
    assert conditions(status)["Ready"] == "False"


def test_init_containers() -> None:
    waiting = replace(
        STATE, phase="Pending", initialized=False, init_containers=(ContainerState("i", "x"),)
    )
    status = make_pod_status(waiting, {}, NOW)
    assert conditions(status)["Initialized"] == "False"
    assert status["initContainerStatuses"][0]["state"] == {
        "waiting": {"reason": "ContainerCreating"}
    }
    ended = Terminated(0, 0, "Completed", "", NOW, NOW)
    done = ContainerState("i", "x", "terminated", "", ended=ended)
    status = make_pod_status(replace(STATE, init_containers=(done,)), {}, NOW)
    assert status["initContainerStatuses"][0]["ready"] is True
