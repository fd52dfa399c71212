"""lastFailureInfo: KServe's reasons by what happened."""

from __future__ import annotations

import pytest

from rouse.api.inferenceservice.status import FailureInfo
from rouse.compiler.failures import failure_info


@pytest.mark.parametrize(
    ("reason", "wanted", "exit_code"),
    [
        ("ExitCode1", "ModelLoadFailed", 1),
        ("ExitCode137", "ModelLoadFailed", 137),
        ("OOMKilled", "ModelLoadFailed", None),
        ("CrashLoopBackOff", "ModelLoadFailed", None),
        ("ImagePullBackOff", "RuntimeUnhealthy", None),
        ("Unschedulable", "RuntimeUnhealthy", None),
        ("ProgressDeadlineExceeded", "RuntimeUnhealthy", None),
        ("", "RuntimeUnhealthy", None),
    ],
)
def test_the_reason_is_that_of_the_cause(reason: str, wanted: str, exit_code: int | None) -> None:
    info = failure_info({"reason": reason, "message": "why"}, location="iris-predictor")
    assert (info["reason"], info.get("exitCode")) == (wanted, exit_code)
    assert (info["message"], info["location"]) == ("why", "iris-predictor")
    assert FailureInfo.model_validate(info).reason == wanted


def test_the_time_and_the_revision_are_said_where_they_are_known() -> None:
    condition = {"reason": "ExitCode2", "lastTransitionTime": "2026-01-01T00:00:00Z"}
    assert failure_info(condition, location="iris-00001", revision="iris-00001") == {
        "reason": "ModelLoadFailed",
        "message": "ExitCode2",
        "location": "iris-00001",
        "modelRevisionName": "iris-00001",
        "exitCode": 2,
        "time": "2026-01-01T00:00:00Z",
    }
