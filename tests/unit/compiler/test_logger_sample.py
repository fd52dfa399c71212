"""The part of the requests that is logged: an annotation, told to the servers that can sample."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api.inferenceservice.annotations import LOGGER_SAMPLE, parse_sample
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.agent import attach_agent
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError

POD = {"containers": [{"name": "kserve-container", "image": "i"}]}


def _isvc(**annotations: str) -> InferenceService:
    return InferenceService.model_validate(
        {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": "iris", "namespace": "n", "annotations": annotations},
            "spec": {
                "predictor": {
                    "logger": {"url": "http://sink"},
                    "model": {"modelFormat": {"name": "sklearn"}, "storageUri": "pvc://m/iris"},
                }
            },
        }
    )


def _attached(isvc: InferenceService, own: str | None) -> dict[str, Any]:
    spec = isvc.spec.predictor
    pod, _ = attach_agent(POD, isvc, "predictor", spec, own=own, config=Config())
    env: dict[str, Any] = {e["name"]: e["value"] for e in pod["containers"][0].get("env", ())}
    return env


def test_a_server_of_rouse_is_told() -> None:
    env = _attached(_isvc(**{LOGGER_SAMPLE: " 0.1"}), "kserve-container")
    assert env["ROUSE_LOGGER_SAMPLE"] == "0.1"


def test_without_the_annotation_nothing_is_said() -> None:
    assert "ROUSE_LOGGER_SAMPLE" not in _attached(_isvc(), "kserve-container")


def test_an_agent_of_kserve_cannot() -> None:
    with pytest.raises(CompileError) as refused:
        _attached(_isvc(**{LOGGER_SAMPLE: "0.1"}), None)
    assert str(refused.value).startswith(f"metadata.annotations[{LOGGER_SAMPLE}]: the server of")
    assert "remove the annotation, or spec.predictor.logger" in str(refused.value)
    assert _attached(_isvc(), None) == {}


@pytest.mark.parametrize(
    ("text", "part"),
    [("0", 0.0), ("1", 1.0), ("0.25", 0.25), (".5", 0.5), ("1.01", None), ("", None), ("x", None)],
)
def test_parts(text: str, part: float | None) -> None:
    assert parse_sample(text) == part
