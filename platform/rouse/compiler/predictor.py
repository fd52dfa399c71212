"""The pod of a predictor: the runtime's, what the user lays over it, and the model."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.defaults import MAIN_CONTAINER
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.types import InferenceService, ModelSpec
from rouse.api.pods.containers import ContainerFields
from rouse.compiler.agent import attach_agent
from rouse.compiler.collocation import collocate
from rouse.compiler.component import (
    PREDICTOR,
    ResolvedComponent,
    main_container,
    pod_fields,
    resolve,
)
from rouse.compiler.confidential import decryption
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.grpcport import with_grpc_port
from rouse.compiler.images import with_tag
from rouse.compiler.merge import merge_container, merge_pod
from rouse.compiler.multinode import make_group, resolve_workers
from rouse.compiler.placeholders import fill, values_of
from rouse.compiler.runtimes import Runtime, RuntimeSet, select_runtime
from rouse.compiler.storage import attach, storage_of
from rouse.compiler.twins import attach_twin

__all__ = ["resolve_predictor"]

_COMMAND = "embedded.rouse.dev/command"
_OWN_SERVER = '"predictors.'

_CONTAINER_FIELDS = frozenset(
    field.alias or name for name, field in ContainerFields.model_fields.items()
)
# What a runtime and a pod both have and a Knative Service takes.
_RUNTIME_FIELDS = (
    "affinity",
    "containers",
    "hostIPC",
    "imagePullSecrets",
    "nodeSelector",
    "schedulerName",
    "tolerations",
    "volumes",
)


def resolve_predictor(
    isvc: InferenceService, runtimes: RuntimeSet, config: Config
) -> ResolvedComponent:
    """Return the (defaulted) predictor with its pod.

    Raises CompileError when no runtime fits or none of the containers is the one that serves.
    """
    predictor = isvc.spec.predictor
    pod, model = pod_fields(predictor), predictor.model
    runtime = group = None
    if model is not None:
        spread = predictor.worker_spec
        runtime = select_runtime(model, isvc.namespace, runtimes, with_workers=spread is not None)
        pod = merge_pod(_runtime_pod(runtime), pod)
        pod["containers"] = list(_containers(pod["containers"], model, runtime, isvc))
        if spread is not None:
            group = make_group(isvc, spread, runtime, pod, values_of(isvc, model))
            pod = group.head
    main, own = main_container(pod), _is_own(runtime)
    annotations: Strings = {}
    storage = storage_of(model, predictor)
    if storage is not None:
        given = {**isvc.annotations, **(predictor.annotations or {})}
        decrypted = decryption(model, storage, config)
        pod, annotations = attach(
            pod,
            main,
            storage,
            own_predictor=own and not decrypted,
            config=config,
            annotations=given,
        )
        annotations = {**annotations, **decrypted}
    server = main if own else None
    pod = attach_twin(pod, isvc, server)
    pod, logging = attach_agent(pod, isvc, PREDICTOR, predictor, own=server, config=config)
    annotations = {**annotations, **logging}
    pod = collocate(isvc, pod)
    resolved = resolve(
        isvc, PREDICTOR, predictor, pod, config=config, runtime=runtime, annotations=annotations
    )
    if runtime is None or group is None:
        return resolved
    workers = resolve_workers(isvc, group, runtime, storage, config)
    return replace(resolved, workers=workers, worker_count=group.workers)


def _is_own(runtime: Runtime | None) -> bool:
    """Whether the server is one of Rouse's: it fetches its model, logs and batches by itself."""
    annotations = (runtime.spec.annotations or {}) if runtime is not None else {}
    return _OWN_SERVER in annotations.get(_COMMAND, "")


def _runtime_pod(runtime: Runtime) -> Object:
    fields = runtime.fields
    if all(container["name"] != MAIN_CONTAINER for container in fields["containers"]):
        raise CompileError(
            Reason.INVALID_SPEC,
            f'the {runtime.kind} "{runtime.name}" has no container named {MAIN_CONTAINER}; '
            "rename the one that serves",
        )
    return {field: fields[field] for field in _RUNTIME_FIELDS if field in fields}


def _containers(
    containers: list[Object], model: ModelSpec, runtime: Runtime, isvc: InferenceService
) -> Iterator[Object]:
    values = values_of(isvc, model)
    given = model.to_object()
    over = {k: v for k, v in given.items() if k in _CONTAINER_FIELDS and k != "name"}
    where = f'the {runtime.kind} "{runtime.name}"'
    for container in containers:
        if container["name"] != MAIN_CONTAINER:
            yield fill(container, values, where)
            continue
        merged: Object = fill(merge_container(container, over), values, where)
        if model.runtime_version and "image" not in over and "image" in merged:
            merged["image"] = with_tag(merged["image"], model.runtime_version)
        yield with_grpc_port(merged) if _is_own(runtime) else merged
