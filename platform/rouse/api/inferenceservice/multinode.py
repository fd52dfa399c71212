"""The rules of a model that is served on several nodes (workerSpec); KServe's."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.inferenceservice.modes import KNATIVE, MODE_ANNOTATION, STANDARD
from rouse.api.inferenceservice.types import FrameworkSpec, InferenceService
from rouse.api.inferenceservice.worker import WorkerSpec
from rouse.api.pods.checks import check_containers, check_unique
from rouse.api.pods.containers import EnvVar
from rouse.errors import FieldError

__all__ = ["SIZE_VARIABLES", "check_size_variables", "check_workers"]

SIZE_VARIABLES = ("PIPELINE_PARALLEL_SIZE", "TENSOR_PARALLEL_SIZE")
"""Variables that are set from workerSpec."""

_NEEDS_STANDARD = (
    "works only in the mode Standard, as a group of pods does not scale to zero; set the "
    f'annotation {MODE_ANNOTATION}: "{STANDARD}"'
)

_PATH = "spec.predictor.workerSpec"
_AUTOSCALER = "serving.kserve.io/autoscalerClass"
_UNSCALED = ("none", "external")
_SCHEMES = ("pvc", "oci", "oci+native")


def check_workers(isvc: InferenceService, mode: str | None) -> Iterator[FieldError]:
    """Find what does not go with a predictor on several nodes; nothing where it is on one.

    ``mode`` is the service's; None where it is unknown.
    """
    predictor = isvc.spec.predictor
    workers = predictor.worker_spec
    if workers is None:
        return
    if mode == KNATIVE:
        yield FieldError(_PATH, _NEEDS_STANDARD)
    yield from _pods(workers)
    yield from _scaling(isvc)
    blocks = [block for block in ("model", *predictor.frameworks()) if getattr(predictor, block)]
    if not blocks:
        yield FieldError(_PATH, "needs a model, whose runtime brings the workers; give model")
    for block in blocks:
        yield from _model(getattr(predictor, block), f"spec.predictor.{block}")


def check_size_variables(env: list[EnvVar] | None, path: str) -> Iterator[FieldError]:
    """Find variables that say again, or otherwise, what workerSpec says."""
    for index, each in enumerate(env or ()):
        if each.name in SIZE_VARIABLES:
            first, *others = each.name.lower().split("_")
            field = first + "".join(map(str.capitalize, others))
            yield FieldError(f"{path}[{index}].name", f"is set from workerSpec.{field}; remove it")


def _pods(workers: WorkerSpec) -> Iterator[FieldError]:
    containers = workers.containers or []
    if len(containers) > 1:
        yield FieldError(
            f"{_PATH}.containers",
            f"has {len(containers)} containers; a worker has one, worker-container",
        )
    yield from check_containers(containers, f"{_PATH}.containers")
    yield from check_containers(workers.init_containers or (), f"{_PATH}.initContainers")
    yield from check_unique([v.name for v in workers.volumes or ()], f"{_PATH}.volumes")


def _scaling(isvc: InferenceService) -> Iterator[FieldError]:
    predictor = isvc.spec.predictor
    places = {
        "metadata.annotations": isvc.annotations,
        "spec.predictor.annotations": predictor.annotations or {},
    }
    for path, given in places.items():
        by = given.get(_AUTOSCALER, "none")
        if by not in _UNSCALED:
            yield FieldError(
                f"{path}[{_AUTOSCALER}]",
                f'"{by}" does not go with workerSpec: nobody scales a group of pods; write none',
            )
    if (predictor.min_replicas or 0) > 1:
        yield FieldError(
            "spec.predictor.minReplicas",
            f"{predictor.min_replicas} does not go with workerSpec: there is one head, and its "
            "workers; write 1, or make further InferenceServices",
        )


def _model(model: FrameworkSpec, path: str) -> Iterator[FieldError]:
    yield from check_size_variables(model.env, f"{path}.env")
    uri = model.storage_uri
    if uri is None:
        yield FieldError(
            f"{path}.storageUri", "is needed beside workerSpec: every node reads the model itself"
        )
    elif uri.partition("://")[0] not in _SCHEMES:
        yield FieldError(
            f"{path}.storageUri",
            f'"{uri}" would be fetched once per node; with workerSpec the model is on a claim '
            "(pvc://) or in an image (oci://)",
        )
