"""The rules of an InferenceService that its types cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.inferenceservice.annotations import check_annotations
from rouse.api.inferenceservice.autoscaling import check_metrics
from rouse.api.inferenceservice.canaries import check_canaries
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.knative import check_container, check_pod
from rouse.api.inferenceservice.knative_scaling import check_knative_scaling
from rouse.api.inferenceservice.logger import check_logger
from rouse.api.inferenceservice.modes import KNATIVE, MODE_ANNOTATION, mode_of
from rouse.api.inferenceservice.multinode import check_workers
from rouse.api.inferenceservice.notyet import check_not_yet
from rouse.api.inferenceservice.storage import explain_location
from rouse.api.inferenceservice.types import FrameworkSpec, InferenceService, PredictorSpec
from rouse.api.names import MAX_LABEL, is_dns_label
from rouse.api.pods.checks import check_containers, check_env, check_labels, check_unique
from rouse.errors import FieldError

__all__ = ["MAX_TIMEOUT_S", "validate"]

MAX_TIMEOUT_S = 600
"""Knative's max-revision-timeout-seconds."""

_MAX_CONCURRENCY = 1000
_MODEL_PATH = "/mnt/models"


def validate(
    isvc: InferenceService, old: InferenceService | None = None, *, default_mode: str = KNATIVE
) -> list[FieldError]:
    """Return every finding about a service as the user gave it; ``old`` is what it replaces.

    ``default_mode`` is the installation's mode of services that name none; a live one keeps its.
    """
    default_mode = ((old and old.status) or {}).get("deploymentMode") or default_mode
    mode = mode_of(isvc.annotations, default_mode)
    findings = [*_metadata(isvc), *_mode(isvc, old, mode, default_mode)]
    findings += _predictor(isvc.spec.predictor, mode, "spec.predictor")
    for index, canary in enumerate(isvc.spec.canary or ()):
        path = f"spec.canary[{index}].predictor"
        findings += _predictor(canary.predictor, mode, path)
        findings += _component(canary.predictor, path)
    findings += check_canaries(isvc, mode)
    for part in ("predictor", "transformer", "explainer"):
        component: ComponentSpec | None = getattr(isvc.spec, part)
        if component is not None:
            findings += _component(component, f"spec.{part}")
            if mode == KNATIVE:
                findings += check_pod(component, f"spec.{part}")
                findings += check_knative_scaling(component, f"spec.{part}")
    findings += [*_around(isvc, mode), *check_annotations(isvc), *check_workers(isvc, mode)]
    return [*findings, *check_not_yet(isvc, mode)]


def _around(isvc: InferenceService, mode: str | None) -> Iterator[FieldError]:
    """Check what stands around the predictor: something must run there."""
    transformer, explainer = isvc.spec.transformer, isvc.spec.explainer
    if transformer is not None and not transformer.containers:
        yield FieldError("spec.transformer.containers", "at least one container is needed")
    if explainer is None:
        return
    if explainer.art is None and not explainer.containers:
        yield FieldError("spec.explainer", "names nothing that explains; give containers, or art")
    if explainer.art is not None:
        path = "spec.explainer.art"
        problem = explain_location(explainer.art.storage_uri) if explainer.art.storage_uri else None
        if problem:
            yield FieldError(f"{path}.storageUri", problem)
        if explainer.art.storage_uri is not None and explainer.art.storage is not None:
            yield FieldError(f"{path}.storage", "is given beside storageUri; keep one")
        yield from check_env(explainer.art.env, f"{path}.env")
        if mode == KNATIVE:
            yield from check_container(explainer.art, path)


def _metadata(isvc: InferenceService) -> Iterator[FieldError]:
    meta = isvc.metadata
    # generateName is completed by the API server before anybody reads the object.
    if not is_dns_label(meta.name) and not (meta.generate_name and not meta.name):
        yield FieldError(
            "metadata.name",
            f'"{meta.name}" cannot be a host name; use at most {MAX_LABEL} lower case letters, '
            "digits and hyphens, a letter first and no hyphen last",
        )
    yield from check_labels(meta.labels, "metadata.labels")


def _mode(
    isvc: InferenceService, old: InferenceService | None, mode: str | None, default_mode: str
) -> Iterator[FieldError]:
    path = f"metadata.annotations[{MODE_ANNOTATION}]"
    if mode is None:
        yield FieldError(
            path,
            f'"{isvc.annotations[MODE_ANNOTATION]}" is no mode; allowed: Knative (Serverless), '
            "Standard (RawDeployment)",
        )
    before = mode
    if old is not None:
        # Without the annotation a live object has the mode it was given first.
        before = mode_of(old.annotations, default_mode)
    if before is not None and before != mode:
        yield FieldError(
            path,
            f"the mode of a live object cannot change from {before} to {mode or 'an unknown one'}; "
            "delete the InferenceService and create it again",
        )


def _predictor(predictor: PredictorSpec, mode: str | None, path: str) -> Iterator[FieldError]:
    models = [*(["model"] if predictor.model is not None else []), *predictor.frameworks()]
    if not models and not predictor.containers:
        yield FieldError(
            path,
            "names nothing to serve; give model (modelFormat and storageUri), or containers",
        )
    if len(models) > 1:
        yield FieldError(
            path, f"has {len(models)} models ({', '.join(models)}); keep exactly one of them"
        )
    for block in models:
        model = getattr(predictor, block)
        if model.storage_uri is not None:
            problem = explain_location(model.storage_uri)
            if problem:
                yield FieldError(f"{path}.{block}.storageUri", problem)
        yield from _one_source(model, predictor, f"{path}.{block}", path)
        yield from check_env(model.env, f"{path}.{block}.env")
        if mode == KNATIVE:
            yield from check_container(model, f"{path}.{block}")


def _one_source(
    model: FrameworkSpec, predictor: PredictorSpec, block: str, path: str
) -> Iterator[FieldError]:
    if model.storage_uri is not None and model.storage is not None:
        yield FieldError(f"{block}.storage", "is given beside storageUri; keep one")
    if predictor.storage_uris and (model.storage_uri is not None or model.storage is not None):
        one = "storageUri" if model.storage_uri is not None else "storage"
        yield FieldError(f"{path}.storageUris", f"is given beside {block}.{one}; keep one")


def _storage_uris(component: ComponentSpec, path: str) -> Iterator[FieldError]:
    taken: set[str] = set()
    for index, each in enumerate(component.storage_uris or ()):
        at = f"{path}.storageUris[{index}]"
        problem = explain_location(each.uri)
        if problem:
            yield FieldError(f"{at}.uri", problem)
        mount = (each.mount_path or _MODEL_PATH).rstrip("/")
        if not mount:
            yield FieldError(f"{at}.mountPath", '"/" is the container itself; name a folder in it')
        if mount in taken:
            yield FieldError(
                f"{at}.mountPath", f'"{mount}" is taken by an entry before; give each its own'
            )
        taken.add(mount)


def _component(component: ComponentSpec, path: str) -> Iterator[FieldError]:
    least, most = component.min_replicas, component.max_replicas
    if least is not None and most and most < least:
        yield FieldError(
            f"{path}.maxReplicas", f"{most} is less than minReplicas, which is {least}"
        )
    if component.timeout is not None and component.timeout > MAX_TIMEOUT_S:
        yield FieldError(
            f"{path}.timeout",
            f"{component.timeout} s is out of range; the most is {MAX_TIMEOUT_S} s",
        )
    if (component.container_concurrency or 0) > _MAX_CONCURRENCY:
        yield FieldError(
            f"{path}.containerConcurrency",
            f"{component.container_concurrency} is out of range; the most is {_MAX_CONCURRENCY}",
        )
    if component.logger is not None:
        yield from check_logger(component.logger, f"{path}.logger")
    if component.auto_scaling is not None:
        yield from check_metrics(component.auto_scaling, f"{path}.autoScaling")
    yield from _storage_uris(component, path)
    yield from check_labels(component.labels, f"{path}.labels")
    yield from check_containers(component.containers or (), f"{path}.containers")
    yield from check_containers(component.init_containers or (), f"{path}.initContainers")
    yield from check_unique([v.name for v in component.volumes or ()], f"{path}.volumes")
