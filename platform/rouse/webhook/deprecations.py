"""What still works and should be written otherwise. Pure."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from rouse.api.base import Object
from rouse.api.inferenceservice.modes import KNATIVE, MODE_ANNOTATION, STANDARD
from rouse.api.inferenceservice.types import FRAMEWORKS

__all__ = ["deprecations"]

_OLD_MODES: Final = {"Serverless": KNATIVE, "RawDeployment": STANDARD}
_COMPONENTS: Final = ("predictor", "transformer", "explainer")


def deprecations(obj: Object) -> list[str]:
    """Return a warning for each thing of an InferenceService that has a newer form."""
    if obj.get("kind") != "InferenceService":
        return []
    return [*_of_metadata(_dict(obj.get("metadata"))), *_of_spec(_dict(obj.get("spec")))]


def _of_metadata(metadata: Object) -> Iterator[str]:
    mode = _dict(metadata.get("annotations")).get(MODE_ANNOTATION)
    newer = _OLD_MODES.get(mode) if isinstance(mode, str) else None
    if newer:
        yield f"{MODE_ANNOTATION}: {mode} is the old name of {newer}; write {newer}"


def _of_spec(spec: Object) -> Iterator[str]:
    predictor = _dict(spec.get("predictor"))
    for framework in FRAMEWORKS:
        if framework in predictor:
            yield (
                f"spec.predictor.{framework} is the old style; write spec.predictor.model with "
                f"modelFormat.name: {framework}"
            )
    for component in _COMPONENTS:
        if "serviceAccount" in _dict(spec.get(component)):
            yield f"spec.{component}.serviceAccount is the old name of serviceAccountName"


def _dict(value: Any) -> Object:
    """The value, or nothing where a malformed object has something else there."""
    return value if isinstance(value, dict) else {}
