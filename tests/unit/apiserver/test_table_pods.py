"""How a pod is summed up in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from rouse.embedded.apiserver.table import make_table, printer_for

Object = dict[str, Any]

_NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def _ago(**delta: float) -> str:
    return (_NOW - timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


def _cells(pod: Object, *, wide: bool = False) -> dict[str, Any]:
    printer = printer_for("", "Pod")
    pod.setdefault("metadata", {}).setdefault("name", "x")
    pod["metadata"].setdefault("creationTimestamp", _ago(seconds=5))
    table = make_table([pod], printer.columns, now=_NOW, row_maker=printer.row)
    cells = table["rows"][0]["cells"]
    columns = table["columnDefinitions"]
    assert len(cells) == len(columns)
    return {
        column["name"]: cell
        for column, cell in zip(columns, cells, strict=True)
        if wide or column["priority"] == 0
    }


def _status(name: str = "c", *, ready: bool = False, restarts: int = 0, **state: Object) -> Object:
    return {"name": name, "ready": ready, "restartCount": restarts, "state": state}


_RUNNING: Object = {"running": {"startedAt": _ago(seconds=9)}}
_READY = [{"type": "Ready", "status": "True"}]


@pytest.mark.parametrize(
    ("meta", "spec", "status", "wanted"),
    [
        ({}, {"containers": [{}]}, {"phase": "Pending"}, ("0/1", "Pending", "0")),
        (
            {},
            {"containers": [{}]},
            {"phase": "Running", "containerStatuses": [_status(ready=True, **_RUNNING)]},
            ("1/1", "Running", "0"),
        ),
        (
            {},
            {"containers": [{}]},
            {
                "phase": "Pending",
                "containerStatuses": [_status(waiting={"reason": "ContainerCreating"})],
            },
            ("0/1", "ContainerCreating", "0"),
        ),
        (
            {},
            {"containers": [{}]},
            {
                "phase": "Running",
                "containerStatuses": [
                    {
                        **_status(restarts=3, waiting={"reason": "CrashLoopBackOff"}),
                        "lastState": {"terminated": {"finishedAt": _ago(seconds=40)}},
                    }
                ],
            },
            ("0/1", "CrashLoopBackOff", "3 (40s ago)"),
        ),
        (
            {"deletionTimestamp": _ago(seconds=1)},
            {"containers": [{}]},
            {"phase": "Running", "containerStatuses": [_status(ready=True, **_RUNNING)]},
            ("1/1", "Terminating", "0"),
        ),
        (
            {"deletionTimestamp": _ago(seconds=1)},
            {"containers": [{}]},
            {"phase": "Running", "reason": "NodeLost"},
            ("0/1", "Unknown", "0"),
        ),
        (
            {"deletionTimestamp": _ago(seconds=1)},
            {"containers": [{}]},
            {
                "phase": "Succeeded",
                "containerStatuses": [
                    _status(terminated={"reason": "Completed", "exitCode": 0}),
                ],
            },
            ("0/1", "Completed", "0"),
        ),
        (
            {},
            {"containers": [{}]},
            {"phase": "Failed", "containerStatuses": [_status(terminated={"exitCode": 3})]},
            ("0/1", "ExitCode:3", "0"),
        ),
        (
            {},
            {"containers": [{}]},
            {"phase": "Failed", "containerStatuses": [_status(terminated={"signal": 9})]},
            ("0/1", "Signal:9", "0"),
        ),
        (
            {},
            {"containers": [{}]},
            {"phase": "Failed", "reason": "Evicted"},
            ("0/1", "Evicted", "0"),
        ),
        (
            {},
            {"containers": [{}, {}]},
            {
                "phase": "Running",
                "conditions": _READY,
                "containerStatuses": [
                    _status("a", ready=True, **_RUNNING),
                    _status("b", terminated={"reason": "Completed", "exitCode": 0}),
                ],
            },
            ("1/2", "Running", "0"),
        ),
        (
            {},
            {"containers": [{}, {}]},
            {
                "phase": "Running",
                "containerStatuses": [
                    _status("a", terminated={"reason": "Completed", "exitCode": 0}),
                    _status("b", ready=True, **_RUNNING),
                ],
            },
            ("1/2", "NotReady", "0"),
        ),
        (
            {},
            {"containers": [{}], "initContainers": [{"name": "i"}, {"name": "j"}]},
            {
                "phase": "Pending",
                "initContainerStatuses": [
                    _status("i", terminated={"exitCode": 0}),
                    _status("j", waiting={"reason": "PodInitializing"}),
                ],
            },
            ("0/1", "Init:1/2", "0"),
        ),
        (
            {},
            {"containers": [{}], "initContainers": [{"name": "i"}]},
            {
                "phase": "Pending",
                "initContainerStatuses": [
                    _status("i", restarts=2, terminated={"reason": "Error", "exitCode": 1})
                ],
            },
            ("0/1", "Init:Error", "2"),
        ),
        (
            {},
            {"containers": [{}], "initContainers": [{"name": "i"}]},
            {
                "phase": "Pending",
                "initContainerStatuses": [_status("i", waiting={"reason": "ImagePullBackOff"})],
            },
            ("0/1", "Init:ImagePullBackOff", "0"),
        ),
        (
            {},
            {
                "containers": [{}],
                "initContainers": [{"name": "side", "restartPolicy": "Always"}],
            },
            {
                "phase": "Running",
                "initContainerStatuses": [
                    {**_status("side", ready=True, **_RUNNING), "started": True}
                ],
                "containerStatuses": [_status(ready=True, **_RUNNING)],
            },
            ("2/2", "Running", "0"),
        ),
        (
            {},
            {"containers": [{}]},
            {
                "phase": "Pending",
                "conditions": [
                    {"type": "PodScheduled", "status": "False", "reason": "SchedulingGated"}
                ],
            },
            ("0/1", "SchedulingGated", "0"),
        ),
    ],
)
def test_pods(meta: Object, spec: Object, status: Object, wanted: tuple[str, str, str]) -> None:
    pod = {"metadata": {"name": "p", **meta}, "spec": spec, "status": status}
    cells = _cells(pod)
    assert list(cells) == ["Name", "Ready", "Status", "Restarts", "Age"]
    assert (cells["Ready"], cells["Status"], cells["Restarts"]) == wanted
    assert cells["Age"] == "5s"


def test_wide_pods() -> None:
    pod = {
        "spec": {
            "containers": [{}],
            "nodeName": "rouse-local",
            "readinessGates": [{"conditionType": "a"}, {"conditionType": "b"}],
        },
        "status": {
            "phase": "Running",
            "podIP": "127.0.0.1",
            "conditions": [{"type": "a", "status": "True"}],
        },
    }
    cells = _cells(pod, wide=True)
    assert list(cells)[5:] == ["IP", "Node", "Nominated Node", "Readiness Gates"]
    assert list(cells.values())[5:] == ["127.0.0.1", "rouse-local", "<none>", "1/2"]
    bare = _cells({"spec": {"containers": [{}]}}, wide=True)
    assert list(bare.values())[1:3] == ["0/1", "Unknown"]
    assert list(bare.values())[5:] == ["<none>"] * 4
