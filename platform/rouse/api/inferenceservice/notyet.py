"""What KServe has and this version of Rouse does not: refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Iterator, Mapping

from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.modes import MODE_ANNOTATION, MODELMESH, STANDARD, mode_of
from rouse.api.inferenceservice.types import InferenceService
from rouse.errors import FieldError

__all__ = ["check_not_yet"]

_COMPONENT_FIELDS = {"storage_container_name": "storage containers chosen by name"}
_KNATIVE_FIELDS = {"auto_scaling": "scaling on several metrics in the mode Knative"}


def check_not_yet(isvc: InferenceService) -> Iterator[FieldError]:
    """Find the features that are not built yet, each with its field path."""
    mode = mode_of(isvc.annotations)
    if mode == MODELMESH:
        yield FieldError(
            f"metadata.annotations[{MODE_ANNOTATION}]",
            "the mode ModelMesh is not available in this version of Rouse, until its model mesh is "
            "there; remove the annotation to run in the mode Knative, or write Standard",
        )
    spec = isvc.spec
    if spec.canary is not None:
        yield FieldError(
            "spec.canary",
            "is not part of v1beta1's meaning on KServe either; use canaryTrafficPercent",
        )
    for part in ("predictor", "transformer", "explainer"):
        component: ComponentSpec | None = getattr(spec, part)
        if component is not None:
            fields = _COMPONENT_FIELDS | ({} if mode == STANDARD else _KNATIVE_FIELDS)
            yield from _component(component, f"spec.{part}", fields)
    if spec.predictor.worker_spec is not None:
        yield _not_yet("spec.predictor.workerSpec", "models over several nodes")


def _component(
    component: ComponentSpec, path: str, fields: Mapping[str, str]
) -> Iterator[FieldError]:
    for field, what in fields.items():
        if getattr(component, field) is not None:
            yield _not_yet(f"{path}.{type(component).model_fields[field].alias}", what)


def _not_yet(path: str, what: str) -> FieldError:
    return FieldError(
        path, f"is not available in this version of Rouse, which has no {what} yet; remove it"
    )
