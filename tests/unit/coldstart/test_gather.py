"""A cluster's traces of a start, in a table: pods, Events, nodes and reports in, phases out."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pytest

from rouse.coldstart.gather import ended_sleep, gather, parse_report

Json = dict[str, Any]


def at(second: int) -> str:
    minutes, seconds = divmod(second, 60)
    return f"2026-11-21T08:{30 + minutes:02}:{seconds:02}Z"


def pod(
    *,
    scheduled: int = 0,
    started: int = 2,
    ready: int = 4,
    fetched: tuple[int, int] | None = None,
    restarts: int = 0,
    knative: bool = False,
) -> Json:
    proxy = {"name": "queue-proxy", "state": {"running": {"startedAt": at(started)}}}
    ended = fetched and {"startedAt": at(fetched[0]), "finishedAt": at(fetched[1])}
    return {
        "metadata": {"name": "iris-1", "creationTimestamp": at(0)},
        "status": {
            "conditions": [
                {"type": "PodScheduled", "status": "True", "lastTransitionTime": at(scheduled)},
                {"type": "Ready", "status": "True", "lastTransitionTime": at(ready)},
            ],
            "initContainerStatuses": [
                {"name": "storage-initializer", "state": {"terminated": ended}}
            ]
            if ended
            else [],
            "containerStatuses": [
                *([proxy] if knative else []),
                {
                    "name": "kserve-container",
                    "restartCount": restarts,
                    "state": {"running": {"startedAt": at(started)}},
                },
            ],
        },
    }


def event(reason: str, second: int, message: str = "", container: str = "") -> Json:
    where = {"fieldPath": f"spec.containers{{{container}}}"} if container else {}
    return {
        "reason": reason,
        "message": message,
        "firstTimestamp": at(second),
        "involvedObject": where,
    }


def node(born: int, ready: int) -> Json:
    condition = {"type": "Ready", "status": "True", "lastTransitionTime": at(ready)}
    return {"metadata": {"creationTimestamp": at(born)}, "status": {"conditions": [condition]}}


def pulled(second: int, took: str, container: str = "kserve-container") -> Json:
    message = f'Successfully pulled image "sklearn:1" in {took}. Image size: 9 bytes.'
    return event("Pulled", second, message, container)


@dataclass(frozen=True)
class Case:
    pod: Json
    wanted: dict[str, float]
    events: list[Json] = field(default_factory=list)
    node: Json | None = None
    report: dict[str, float] = field(default_factory=dict)
    unknown: tuple[str, ...] = ("queue", "answer")


SERVED = {"import": 0.5, "load": 0.25, "total": 1.0}

CASES = {
    "nothing but the pod": Case(pod(), {"container": 2, "process": 2}),
    "the server reports": Case(
        pod(),
        {"container": 2, "process": 0.25, "import": 0.5, "load": 0.25, "ready": 1},
        report={"import": 0.5, "load": 0.25, "total": 1.0},
    ),
    "a report without its total": Case(
        pod(), {"container": 2, "import": 0.5, "ready": 1.5}, report={"import": 0.5}
    ),
    "a report longer than times to the second": Case(
        pod(ready=2),
        {"container": 2, "process": 0.1, "import": 0.8},
        report={"import": 0.8, "total": 0.9},
    ),
    "an image pulled": Case(
        pod(started=30, ready=31),
        {"pull": 27.5, "container": 2.5, "process": 1},
        events=[pulled(28, "27.5s (27.5s including waiting)")],
    ),
    "a pull that waited for another": Case(
        pod(started=30, ready=31),
        {"pull": 12.5, "container": 17.5, "process": 1},
        events=[pulled(28, "500ms (12.5s including waiting)")],
    ),
    "minutes and two images": Case(
        pod(started=90, ready=91),
        {"pull": 63.75, "container": 26.25, "process": 1},
        events=[pulled(70, "1m2.5s"), pulled(80, "1.25s", "queue-proxy")],
    ),
    "pulls without their time in words": Case(
        pod(started=10, ready=11),
        {"pull": 7, "container": 3, "process": 1},
        events=[
            event("Pulled", 8, "pulled", "kserve-container"),
            event("Pulling", 1, "pulling", "kserve-container"),
        ],
    ),
    "an image that was there": Case(
        pod(),
        {"container": 2, "process": 2},
        events=[event("Pulled", 1, 'Container image "x" already present on machine')],
    ),
    "a model fetched before the start": Case(
        pod(started=20, ready=22, fetched=(3, 18)), {"fetch": 15, "container": 5, "process": 2}
    ),
    "a wait for room": Case(
        pod(scheduled=40, started=42, ready=43), {"schedule": 40, "container": 2, "process": 1}
    ),
    "a node made for it": Case(
        pod(scheduled=65, started=67, ready=68),
        {"node": 50, "schedule": 15, "container": 2, "process": 1},
        events=[event("TriggeredScaleUp", 10)],
        node=node(40, 60),
    ),
    "a node made for it, by whom is not told": Case(
        pod(scheduled=65, started=67, ready=68),
        {"node": 60, "schedule": 5, "container": 2, "process": 1},
        node=node(40, 60),
    ),
    "Knative: the first answer came long before the pod was ready": Case(
        pod(ready=12, knative=True),
        {
            "container": 2,
            "process": 0.25,
            "import": 0.5,
            "load": 0.25,
            "ready": 0.25,
            "answer": 0.5,
        },
        report={**SERVED, "asked": 0.25, "answered": 0.75},
        unknown=("queue",),
    ),
    "Knative: a first answer that takes long": Case(
        pod(ready=4, knative=True),
        {
            "container": 2,
            "process": 0.25,
            "import": 0.5,
            "load": 0.25,
            "ready": 1.5,
            "answer": 28.5,
        },
        report={**SERVED, "asked": 1.5, "answered": 30},
        unknown=("queue",),
    ),
    "Knative: who woke it went away": Case(
        pod(ready=4, knative=True),
        {"container": 2, "process": 0.25, "import": 0.5, "load": 0.25, "ready": 1},
        report={**SERVED, "asked": 70, "answered": 71},
    ),
    "Knative: nothing is answered yet": Case(
        pod(ready=12, knative=True),
        {"container": 2, "process": 0.25, "import": 0.5, "load": 0.25},
        report=SERVED,
        unknown=("queue", "answer", "ready"),
    ),
    "Knative: a server that tells nothing": Case(
        pod(ready=12, knative=True),
        {"container": 2, "process": 10},
        unknown=("queue", "answer", "ready"),
    ),
    "an answer before the second in which the pod was ready": Case(
        pod(ready=4),
        {"container": 2, "process": 0.25, "import": 0.5, "load": 0.25, "ready": 0.5},
        report={**SERVED, "asked": 0.25, "answered": 0.5},
    ),
    "an answer later than the pod was ready": Case(
        pod(ready=4),
        {"container": 2, "process": 0.25, "import": 0.5, "load": 0.25, "ready": 1},
        report={**SERVED, "asked": 3, "answered": 4},
    ),
    "an old node": Case(
        pod(scheduled=3), {"schedule": 2, "container": 0, "process": 2}, node=node(-20, 0)
    ),
}


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_phases(case: Case) -> None:
    found = gather(case.pod, case.events, case.node, case.report)
    assert found is not None
    wanted = {name: seconds for name, seconds in case.wanted.items() if seconds}
    assert found.phases == pytest.approx(wanted)
    assert found.pod == "iris-1"
    assert found.unknown == case.unknown


@pytest.mark.parametrize("case", CASES.values(), ids=CASES)
def test_phases_add_up(case: Case) -> None:
    found = gather(case.pod, case.events, case.node, case.report)
    assert found is not None
    assert sum(found.phases.values()) == pytest.approx(found.total_s)


def test_a_start_that_is_not_over_or_was_disturbed_is_none() -> None:
    starting = pod()
    starting["status"]["conditions"][1]["status"] = "False"
    waiting = pod()
    waiting["status"]["containerStatuses"] = []
    for one in (starting, waiting, pod(restarts=1), {"metadata": {"name": "new"}}):
        assert gather(one) is None


def test_report_of_a_model_server() -> None:
    told = """# TYPE startup_phase_seconds gauge
startup_phase_seconds{phase="import"} 0.83
startup_phase_seconds{model="iris",phase="load"} 0.006
startup_phase_seconds{phase="fetch"} nan
startup_phase_seconds{phase="other"} 3
cold_start_seconds_bucket{phase="total",le="+Inf"} 1
cold_start_seconds_sum{phase="import"} 0.83
cold_start_seconds_sum{phase="total"} 1.7
cold_start_seconds_sum{phase="warmup"} what
"""
    assert parse_report(told) == {"import": 0.83, "load": 0.006, "total": 1.7}
    assert parse_report("<html>") == {}


def test_report_of_a_server_of_several_workers_that_has_answered() -> None:
    told = """cold_start_seconds_sum{phase="total"} 3.5
cold_start_seconds_count{phase="total"} 2
first_answer_seconds{part="asked"} 0.25
first_answer_seconds{part="answered"} 0.5
"""
    assert parse_report(told) == {"total": 1.75, "asked": 0.25, "answered": 0.5}


def revision(ready: int, status: str = "True") -> Json:
    condition = {"type": "Ready", "status": status, "lastTransitionTime": at(ready)}
    return {"status": {"conditions": [condition]}}


def other(name: str, created: int, *, gone: int | None = None, grace: int = 30) -> Json:
    left = {"deletionTimestamp": at(gone), "deletionGracePeriodSeconds": grace} if gone else {}
    return {"metadata": {"name": name, "creationTimestamp": at(created), **left}}


@pytest.mark.parametrize(
    ("others", "served", "wanted"),
    [
        ([], revision(-60), True),
        ([], revision(0), False),  # the roll-out's own first pod, within its second
        ([], revision(4), False),
        ([], revision(-60, "False"), False),
        ([], {}, False),
        ([other("iris-0", -50)], revision(-60), False),
        ([other("iris-0", -50, gone=29)], revision(-60), True),  # told to go a second before
        ([other("iris-0", -50, gone=31)], revision(-60), False),
        ([other("iris-2", 5)], revision(-60), True),
        ([other("iris-0", 0)], revision(-60), False),  # two at once: one of them woke it
        ([other("iris-2", 0)], revision(-60), True),
        ([other("iris-1", 0)], revision(-60), True),  # itself
    ],
)
def test_a_wake_up_ends_a_sleep(others: list[Json], served: Json, wanted: bool) -> None:
    assert ended_sleep(pod(), others, served) is wanted
