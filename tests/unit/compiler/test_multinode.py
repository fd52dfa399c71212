"""How many nodes serve a model, with which GPUs, and by which runtime."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from rouse.api.base import Object
from rouse.compiler import Compiled, Config, Observed, RuntimeSet, compile_object

GPU = "nvidia.com/gpu"


def runtime(
    name: str = "spread", *, workers: bool = True, worker_gpus: Object | None = None, **spec: Any
) -> Object:
    worker: Object = {"name": "worker-container", "image": "w"}
    if worker_gpus:
        worker["resources"] = {"requests": worker_gpus}
    brought = {"containers": [worker], "labels": {"from": "workers"}}
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "ClusterServingRuntime",
        "metadata": {"name": name},
        "spec": {
            "containers": [{"name": "kserve-container", "image": "h"}],
            "supportedModelFormats": [{"name": "llm", "autoSelect": True}],
            **({"workerSpec": brought} if workers else {}),
            **spec,
        },
    }


def compiled(
    *runtimes: Object,
    pipeline: int = 2,
    tensor: int = 1,
    head: Object | None = None,
    workers: bool = True,
    named: str | None = None,
    config: Config | None = None,
) -> Compiled:
    model: Object = {"modelFormat": {"name": "llm"}, "storageUri": "pvc://models/llm"}
    if head:
        model["resources"] = {"limits": head}
    if named:
        model["runtime"] = named
    sizes = {"pipelineParallelSize": pipeline, "tensorParallelSize": tensor}
    service = {
        "apiVersion": "serving.kserve.io/v1beta1",
        "kind": "InferenceService",
        "metadata": {
            "name": "llm",
            "namespace": "ns",
            "annotations": {"serving.kserve.io/deploymentMode": "Standard"},
        },
        "spec": {"predictor": {"model": model, **({"workerSpec": sizes} if workers else {})}},
    }
    return compile_object(
        service,
        runtimes=RuntimeSet.of(runtimes),
        config=config or Config(),
        observed=Observed(),
        now=datetime(2026, 1, 1, tzinfo=UTC),
    )


def deployment(result: Compiled, name: str) -> Object:
    assert result.objects, result.status["conditions"]
    return next(
        one
        for one in result.objects
        if one["kind"] == "Deployment" and one["metadata"]["name"] == name
    )


def asked(one: Object, gpu: str = GPU) -> int:
    [container] = one["spec"]["template"]["spec"]["containers"]
    resources = container["resources"]
    assert resources["limits"][gpu] == resources["requests"][gpu]
    return int(resources["limits"][gpu])


@pytest.mark.parametrize(
    ("pipeline", "tensor", "head", "worker", "nodes", "gpus"),
    [
        # Nobody asks for GPUs: a node for each of them.
        (2, 1, 0, 0, 2, (1, 1)),
        (2, 4, 0, 0, 8, (1, 1)),
        (1, 1, 0, 0, 1, (1, 1)),
        # Workers ask: as many as are needed, the head takes what is left.
        (2, 4, 0, 4, 2, (4, 4)),
        (1, 6, 0, 4, 2, (2, 4)),
        (2, 4, 4, 4, 2, (4, 4)),
        # One node has enough.
        (1, 4, 0, 4, 1, (4, 0)),
        (1, 4, 8, 1, 1, (4, 0)),
        # The head asks: workers with a GPU each for the others.
        (2, 2, 2, 0, 3, (2, 1)),
        (1, 2, 2, 0, 1, (2, 1)),
    ],
)
def test_nodes_and_gpus_as_kserve_counts_them(
    pipeline: int, tensor: int, head: int, worker: int, nodes: int, gpus: tuple[int, int]
) -> None:
    result = compiled(
        runtime(worker_gpus={GPU: worker} if worker else None),
        pipeline=pipeline,
        tensor=tensor,
        head={GPU: head} if head else None,
    )
    head_pod, worker_pod = (
        deployment(result, "llm-predictor"),
        deployment(result, "llm-predictor-worker"),
    )
    assert (asked(head_pod), asked(worker_pod)) == gpus
    assert (head_pod["spec"]["replicas"], worker_pod["spec"]["replicas"]) == (1, nodes - 1)
    for one in (head_pod, worker_pod):
        [container] = one["spec"]["template"]["spec"]["containers"]
        env = {each["name"]: each["value"] for each in container["env"]}
        assert env["RAY_NODE_COUNT"] == str(nodes)
        assert env["REQUEST_GPU_COUNT"] == str(asked(one))


def test_gpus_that_are_not_enough_are_refused() -> None:
    result = compiled(runtime(worker_gpus={GPU: 4}), pipeline=2, tensor=4, head={GPU: 2})
    assert not result.objects
    assert "8 GPUs are needed" in result.events[0].message


def test_other_gpus_keep_their_name() -> None:
    result = compiled(runtime(worker_gpus={"amd.com/gpu": 4}), tensor=4, head={"amd.com/gpu": 4})
    assert asked(deployment(result, "llm-predictor-worker"), "amd.com/gpu") == 4


def test_without_ray_stages_are_nodes() -> None:
    result = compiled(
        runtime(annotations={"multinode/executor-backend": "mp"}), pipeline=3, tensor=8
    )
    workers = deployment(result, "llm-predictor-worker")
    assert (workers["spec"]["replicas"], asked(workers)) == (2, 8)


def test_workers_have_the_labels_of_their_part_of_the_runtime() -> None:
    result = compiled(runtime())
    [head, workers] = [
        deployment(result, name)["spec"]["template"]["metadata"]["labels"]
        for name in ("llm-predictor", "llm-predictor-worker")
    ]
    assert (head.get("from"), workers["from"]) == (None, "workers")
    assert head["rouse.dev/group"] == workers["rouse.dev/group"]


@pytest.mark.parametrize(("workers", "chosen"), [(True, "spread"), (False, "single")])
def test_runtimes_with_workers_are_for_models_with_workers(workers: bool, chosen: str) -> None:
    pair = (runtime("single", workers=False), runtime("spread"))
    result = compiled(*pair, workers=workers)
    assert result.status["clusterServingRuntimeName"] == chosen


def test_a_named_runtime_without_workers_is_refused() -> None:
    result = compiled(runtime("single", workers=False), named="single")
    assert 'the ClusterServingRuntime "single" has no workers' in result.events[0].message


def test_an_installations_rollout_is_not_for_workers() -> None:
    config = Config.from_config_map({"data": {"deploymentRollout": "{maxSurge: 2}"}})
    result = compiled(runtime(), config=config)
    assert deployment(result, "llm-predictor")["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": 2},
    }
    assert deployment(result, "llm-predictor-worker")["spec"]["strategy"] == {
        "type": "RollingUpdate",
        "rollingUpdate": {"maxSurge": "100%", "maxUnavailable": "0%"},
    }
