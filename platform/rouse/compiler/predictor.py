"""The pod of a predictor: the runtime's, what the user lays over it, and the model."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.defaults import MAIN_CONTAINER
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.types import InferenceService, ModelSpec
from rouse.api.pods.containers import ContainerFields
from rouse.compiler.component import PREDICTOR, ResolvedComponent, pod_fields, resolve
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.merge import merge_container, merge_pod
from rouse.compiler.placeholders import Values, fill
from rouse.compiler.runtimes import Runtime, RuntimeSet, select_runtime
from rouse.compiler.storage import READ_ONLY_ANNOTATION, with_model

__all__ = ["resolve_predictor"]

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
    own = pod_fields(predictor)
    model = predictor.model
    if model is None:
        return resolve(isvc, PREDICTOR, predictor, own, config=config)
    runtime = select_runtime(model, isvc.namespace, runtimes)
    pod = merge_pod(_runtime_pod(runtime), own)
    pod["containers"] = list(_containers(pod["containers"], model, runtime, isvc))
    if model.storage_uri is not None:
        annotations = {**isvc.annotations, **(predictor.annotations or {})}
        read_only = annotations.get(READ_ONLY_ANNOTATION) != "false"
        pod = with_model(pod, MAIN_CONTAINER, model.storage_uri, read_only=read_only)
    return resolve(isvc, PREDICTOR, predictor, pod, config=config, runtime=runtime)


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
    values: Values = {
        "Name": isvc.name,
        "Namespace": isvc.namespace,
        "Labels": isvc.labels,
        "Annotations": isvc.annotations,
    }
    given = model.to_object()
    over = {k: v for k, v in given.items() if k in _CONTAINER_FIELDS and k != "name"}
    where = f'the {runtime.kind} "{runtime.name}"'
    for container in containers:
        if container["name"] != MAIN_CONTAINER:
            yield fill(container, values, where)
            continue
        merged: Object = fill(merge_container(container, over), values, where)
        if model.runtime_version and "image" not in over and "image" in merged:
            merged["image"] = _with_tag(merged["image"], model.runtime_version)
        yield merged


def _with_tag(image: str, tag: str) -> str:
    """Return the image with another tag; a port in its registry's address is no tag."""
    repository: Any = image.partition("@")[0]
    head, slash, last = repository.rpartition("/")
    return f"{head}{slash}{last.partition(':')[0]}:{tag}"
