"""What a canary takes over from the stable predictor."""

from __future__ import annotations

import pytest

from rouse.api import inferenceservice
from rouse.api.base import Object

STABLE: Object = {
    "minReplicas": 3,
    "maxReplicas": 9,
    "scaleMetric": "cpu",
    "timeout": 30,
    "nodeSelector": {"disk": "ssd"},
    "model": {
        "modelFormat": {"name": "sklearn", "version": "1"},
        "runtime": "my-sklearn",
        "storageUri": "gs://m/1",
        "env": [{"name": "A", "value": "1"}],
    },
}


def merged(predictor: Object, percent: int = 34) -> Object:
    obj = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {"name": "iris"},
        "spec": {
            "predictor": STABLE,
            "canary": [{"trafficPercent": percent, "predictor": {"name": "v2", **predictor}}],
        },
    }
    once = inferenceservice.default(inferenceservice.parse(obj))
    assert inferenceservice.default(once) == once
    [canary] = once.spec.canary or []
    return canary.predictor.to_object()


def test_what_it_does_not_say_is_the_stables_and_nobody_scales_it() -> None:
    got = merged({"sklearn": {"storageUri": "gs://m/2"}, "nodeSelector": {"zone": "a"}})
    assert got == {
        "name": "v2",
        "minReplicas": 2,
        "timeout": 30,
        "nodeSelector": {"disk": "ssd", "zone": "a"},
        "model": {
            "modelFormat": {"name": "sklearn", "version": "1"},
            "runtime": "my-sklearn",
            "storageUri": "gs://m/2",
            "protocolVersion": "v1",
            "env": [{"name": "A", "value": "1"}],
        },
    }


@pytest.mark.parametrize(("percent", "replicas"), [(0, 0), (1, 1), (33, 1), (34, 2), (100, 3)])
def test_its_replicas_are_its_share_of_the_stables(percent: int, replicas: int) -> None:
    assert merged({"sklearn": {}}, percent)["minReplicas"] == replicas
    assert merged({"sklearn": {}, "minReplicas": 1}, percent)["minReplicas"] == 1


def test_another_format_chooses_its_runtime_and_protocol_anew() -> None:
    model = merged({"onnx": {"storage": {"key": "s3", "path": "a"}}})["model"]
    assert model["modelFormat"] == {"name": "onnx"}
    assert model["protocolVersion"] == "v2"
    assert "runtime" not in model
    assert "storageUri" not in model


def test_containers_of_its_own_replace_the_model() -> None:
    got = merged({"containers": [{"name": "server", "image": "me/server"}]})
    assert "model" not in got
    assert got["containers"] == [{"name": "kserve-container", "image": "me/server"}]
