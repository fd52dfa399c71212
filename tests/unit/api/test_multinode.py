"""What goes with a model on several nodes, and what is refused with its field."""

from __future__ import annotations

from typing import Any

import pytest

from rouse.api import inferenceservice, servingruntime
from rouse.api.base import Object
from rouse.api.findings import examine
from rouse.api.inferenceservice.types import InferenceService
from rouse.api.servingruntime import ClusterServingRuntime

KSERVE = "serving.kserve.io/"
MODEL = {"modelFormat": {"name": "huggingface"}, "storageUri": "pvc://models/llama"}
WORKER = {"name": "worker-container", "image": "i"}


def findings(
    workers: Object, annotations: Object | None = None, mode: str = "Standard", **predictor: Any
) -> list[str]:
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "llama",
            "namespace": "ns",
            "annotations": {f"{KSERVE}deploymentMode": mode, **(annotations or {})},
        },
        "spec": {"predictor": {"model": MODEL, **predictor, "workerSpec": workers}},
    }
    return [str(each) for each in examine(InferenceService, service, inferenceservice.validate)[1]]


@pytest.mark.parametrize("by", ["none", "external"])
@pytest.mark.parametrize("uri", ["pvc://models/llama", "oci://registry/llama:1"])
def test_what_kserve_takes(by: str, uri: str) -> None:
    sizes = {"pipelineParallelSize": 2, "tensorParallelSize": 1}
    model = {**MODEL, "storageUri": uri}
    assert findings(sizes, {f"{KSERVE}autoscalerClass": by}, model=model) == []
    assert findings({}, containers=[{"name": "kserve-container", "image": "i"}]) == []


def test_the_old_block_is_a_model_too() -> None:
    assert findings({}, model=None, huggingface={"storageUri": "pvc://models/llama"}) == []


@pytest.mark.parametrize(
    ("workers", "predictor", "message"),
    [
        ({"pipelineParallelSize": 0}, {}, "spec.predictor.workerSpec.pipelineParallelSize"),
        ({"tensorParallelSize": 0}, {}, "spec.predictor.workerSpec.tensorParallelSize"),
        (
            {"containers": [WORKER, {**WORKER, "name": "b"}]},
            {},
            "spec.predictor.workerSpec.containers: has 2 containers; a worker has one",
        ),
        (
            {},
            {"model": {**MODEL, "env": [{"name": "TENSOR_PARALLEL_SIZE", "value": "2"}]}},
            "spec.predictor.model.env[0].name: is set from workerSpec.tensorParallelSize",
        ),
        (
            {},
            {"model": {**MODEL, "storageUri": "s3://models/llama"}},
            'spec.predictor.model.storageUri: "s3://models/llama" would be fetched once per node',
        ),
        (
            {},
            {"model": {"modelFormat": {"name": "huggingface"}}},
            "spec.predictor.model.storageUri: is needed beside workerSpec",
        ),
        (
            {},
            {"model": None, "containers": [{"name": "c", "image": "i"}]},
            "spec.predictor.workerSpec: needs a model",
        ),
        ({}, {"minReplicas": 2}, "spec.predictor.minReplicas: 2 does not go with workerSpec"),
    ],
)
def test_what_is_refused(workers: Object, predictor: Object, message: str) -> None:
    [found] = findings(workers, **predictor)
    assert found.startswith(message)


def test_nobody_scales_a_group() -> None:
    [found] = findings({}, {f"{KSERVE}autoscalerClass": "hpa"})
    assert found.startswith(f'metadata.annotations[{KSERVE}autoscalerClass]: "hpa" does not go')


def test_the_mode_knative_is_refused_with_the_annotation_that_helps() -> None:
    [found] = findings({}, mode="Knative")
    assert found.startswith("spec.predictor.workerSpec: works only in the mode Standard")
    assert found.endswith('set the annotation serving.kserve.io/deploymentMode: "Standard"')


@pytest.mark.parametrize(
    ("workers", "env", "path"),
    [
        ({"containers": []}, [], "spec.workerSpec.containers"),
        ({"containers": [WORKER, {**WORKER, "name": "b"}]}, [], "spec.workerSpec.containers"),
        (
            {"containers": [WORKER]},
            [{"name": "PIPELINE_PARALLEL_SIZE", "value": "2"}],
            "spec.containers[0].env[0].name",
        ),
        ({"containers": [WORKER], "tensorParallelSize": 0}, [], "spec.workerSpec.tensorParallel"),
    ],
)
def test_a_runtime_with_workers_is_checked(workers: Object, env: list[Object], path: str) -> None:
    runtime = {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": "r"},
        "spec": {
            "containers": [{"name": "kserve-container", "image": "i", "env": env}],
            "workerSpec": workers,
        },
    }
    [found] = examine(ClusterServingRuntime, runtime, servingruntime.validate)[1]
    assert str(found).startswith(path)
