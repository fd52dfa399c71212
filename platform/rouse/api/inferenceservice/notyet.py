"""What KServe has and this version of Rouse does not: refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.modes import MODE_ANNOTATION, MODELMESH, STANDARD, mode_of
from rouse.api.inferenceservice.types import FRAMEWORKS, InferenceService
from rouse.errors import FieldError

__all__ = ["check_not_yet"]

_COMPONENT_FIELDS = ("auto_scaling", "batcher", "logger", "storage_container_name", "storage_uris")
_MODEL_FIELDS = ("confidential", "storage")


def check_not_yet(isvc: InferenceService) -> Iterator[FieldError]:
    """Find the features that are not built yet, each with its field path."""
    mode = mode_of(isvc.annotations)
    if mode in (STANDARD, MODELMESH):
        yield FieldError(
            f"metadata.annotations[{MODE_ANNOTATION}]",
            f'the mode {mode} ("{isvc.annotations[MODE_ANNOTATION]}") is not available in this '
            "version of Rouse; remove the annotation to run in the mode Knative",
        )
    spec = isvc.spec
    for part in ("transformer", "explainer", "canary"):
        if getattr(spec, part) is not None:
            yield _not_yet(f"spec.{part}")
    yield from _component(spec.predictor, "spec.predictor")
    if spec.predictor.worker_spec is not None:
        yield _not_yet("spec.predictor.workerSpec")
    for block in ("model", *FRAMEWORKS):
        model = getattr(spec.predictor, block)
        if model is not None:
            for field in _MODEL_FIELDS:
                if getattr(model, field, None) is not None:
                    yield _not_yet(f"spec.predictor.{block}.{field}")


def _component(component: ComponentSpec, path: str) -> Iterator[FieldError]:
    for field in _COMPONENT_FIELDS:
        if getattr(component, field) is not None:
            yield _not_yet(f"{path}.{type(component).model_fields[field].alias}")


def _not_yet(path: str) -> FieldError:
    return FieldError(path, "is not available in this version of Rouse; remove it")
