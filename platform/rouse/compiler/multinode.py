"""One model on several nodes: a head that answers requests, and workers that compute with it.

How many there are and which GPUs they get is decided as KServe does. What holds them together
(the names by which they find one another) belongs to the mode.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from math import ceil
from typing import Any

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.defaults import MAIN_CONTAINER
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.types import InferenceService
from rouse.api.inferenceservice.worker import WorkerSpec
from rouse.api.servingruntime import RuntimeWorkerSpec
from rouse.compiler.component import PREDICTOR, ResolvedComponent, resolve
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.merge import merge_container, merge_pod
from rouse.compiler.placeholders import Values, fill
from rouse.compiler.pools import gpus_of
from rouse.compiler.runtimes import Runtime
from rouse.compiler.storage import Storage, attach
from rouse.compiler.storage.names import MODEL_PATH

__all__ = ["WORKER_CONTAINER", "Group", "make_group", "resolve_workers"]

WORKER_CONTAINER = "worker-container"

_BACKEND = "multinode/executor-backend"
"""Annotation of a runtime: ``mp`` spreads every stage over one node; else Ray decides."""
_DEFAULT_GPU = "nvidia.com/gpu"
_SIZES = ("pipelineParallelSize", "tensorParallelSize")
_WHERE = "spec.predictor.workerSpec"


@dataclass(frozen=True, slots=True)
class Group:
    """The pods of a head and of its workers, still without the model."""

    head: Object
    worker: Object
    workers: int


@dataclass(frozen=True, slots=True)
class _Nodes:
    """How many nodes, the head among them, and the GPUs of each sort."""

    count: int
    head: int
    worker: int


def make_group(
    isvc: InferenceService, spec: WorkerSpec, runtime: Runtime, head: Object, values: Values
) -> Group:
    """Return the pods of the group; ``head`` is the predictor's pod as its runtime makes it.

    ``runtime`` has workers, and ``values`` fill its placeholders. Raises CompileError where the
    GPUs that the pods ask for are not enough.
    """
    brought = runtime.spec.worker_spec
    if brought is None:
        raise ValueError(f"{runtime.name} has no workers")
    pipeline = spec.pipeline_parallel_size or brought.pipeline_parallel_size or 1
    tensor = spec.tensor_parallel_size or brought.tensor_parallel_size or 1
    worker = _worker_pod(spec, brought, runtime, values)
    gpus = (_gpus(head, MAIN_CONTAINER), _gpus(worker, WORKER_CONTAINER))
    mp = (runtime.spec.annotations or {}).get(_BACKEND) == "mp"
    nodes = _Nodes(pipeline, tensor, tensor) if mp else _shared_out(pipeline * tensor, *gpus)
    common = {
        "PIPELINE_PARALLEL_SIZE": pipeline,
        "TENSOR_PARALLEL_SIZE": tensor,
        "RAY_NODE_COUNT": nodes.count,
    }
    for_head = {**common, "MODEL_NAME": isvc.name, "MODEL_DIR": MODEL_PATH}
    for_worker = {**common, "ISVC_NAME": isvc.name}
    return Group(
        _equipped(head, MAIN_CONTAINER, for_head, nodes.head),
        _equipped(worker, WORKER_CONTAINER, for_worker, nodes.worker),
        nodes.count - 1,
    )


def resolve_workers(
    isvc: InferenceService,
    group: Group,
    runtime: Runtime,
    storage: Storage | None,
    config: Config,
) -> ResolvedComponent:
    """Return the workers, with the model, as a component named ``<predictor>-worker``."""
    predictor, pod = isvc.spec.predictor, group.worker
    annotations: Strings = {}
    if storage is not None:
        given = {**isvc.annotations, **(predictor.annotations or {})}
        pod, annotations = attach(
            pod, WORKER_CONTAINER, storage, own_predictor=False, config=config, annotations=given
        )
    resolved = resolve(
        isvc,
        PREDICTOR,
        predictor,
        pod,
        config=config,
        annotations=annotations,
        workers=runtime.spec.worker_spec,
    )
    return replace(resolved, name=f"{resolved.name}-worker")


def _worker_pod(
    spec: WorkerSpec, brought: RuntimeWorkerSpec, runtime: Runtime, values: Values
) -> Object:
    pod = {
        key: value
        for key, value in runtime.fields["workerSpec"].items()
        if key not in (*_SIZES, "annotations", "labels")
    }
    over = {k: v for k, v in spec.to_object().items() if k not in _SIZES}
    given = over.pop("containers", None) or [{}]
    base = next((c for c in pod["containers"] if c["name"] == WORKER_CONTAINER), None)
    if base is None:
        raise CompileError(
            Reason.INVALID_SPEC,
            f'the {runtime.kind} "{runtime.name}" has no container named {WORKER_CONTAINER} in '
            "spec.workerSpec; rename the one that computes",
        )
    container = merge_container(base, {**given[0], "name": WORKER_CONTAINER})
    where = f'workerSpec of the {runtime.kind} "{runtime.name}"'
    return {**merge_pod(pod, over), "containers": [fill(container, values, where)]}


def _shared_out(total: int, head: int, worker: int) -> _Nodes:
    """Share GPUs out as KServe does for Ray; ``head`` and ``worker`` are what a pod asks for.

    A pod that asks for none gets what is left, or one.
    """
    if not worker:
        if not head:
            return _Nodes(total, 1, 1)
        return _Nodes(1 + max(0, total - head), head, 1)
    nodes = ceil(total / worker)
    if nodes == 1 or head >= total:
        return _Nodes(1, total, 0)
    head = head or total - worker * (nodes - 1)
    have = head + worker * (nodes - 1)
    if have < total:
        raise CompileError(
            Reason.INVALID_SPEC,
            f"{_WHERE}: {total} GPUs are needed (pipelineParallelSize times tensorParallelSize), "
            f"and head ({head}) and workers ({worker} each) have {have} together; let the head "
            "ask for more",
        )
    return _Nodes(nodes, head, worker)


def _container(pod: Object, name: str) -> Object:
    return next((each for each in pod["containers"] if each["name"] == name), {})


def _gpu_name(container: Mapping[str, Any]) -> str:
    return min(gpus_of([container]), default=_DEFAULT_GPU)


def _gpus(pod: Object, name: str) -> int:
    """Return how many GPUs a container asks for; 0 where it says nothing."""
    container = _container(pod, name)
    resources = container.get("resources") or {}
    gpu = _gpu_name(container)
    for part in ("requests", "limits"):
        amount = str((resources.get(part) or {}).get(gpu, 0))
        if amount != "0":
            if not amount.isdecimal():
                raise CompileError(
                    Reason.INVALID_SPEC,
                    f"{name}: {gpu}: {amount} is no number of GPUs; give a whole one",
                )
            return int(amount)
    return 0


def _equipped(pod: Object, name: str, env: Mapping[str, object], gpus: int) -> Object:
    """Return the pod whose container of that name has the variables and the GPUs."""
    variables = {**env, "REQUEST_GPU_COUNT": gpus}
    wanted = {_gpu_name(_container(pod, name)): str(gpus)}
    over = {
        "name": name,
        "env": [{"name": key, "value": str(value)} for key, value in variables.items()],
        "resources": {"limits": wanted, "requests": wanted},
    }
    return merge_pod(pod, {"containers": [over]})
