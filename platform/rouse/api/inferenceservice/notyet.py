"""What KServe has and this version of Rouse does not: refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.inferenceservice.modes import MODE_ANNOTATION, MODELMESH, STANDARD
from rouse.api.inferenceservice.types import InferenceService
from rouse.errors import FieldError

__all__ = ["check_not_yet"]


def check_not_yet(isvc: InferenceService, mode: str | None) -> Iterator[FieldError]:
    """Find the features that are not built yet, each with its field path and what to do instead.

    ``mode`` is the service's; None where it is unknown.
    """
    if mode == MODELMESH:
        yield FieldError(
            f"metadata.annotations[{MODE_ANNOTATION}]",
            "the mode ModelMesh is not available in this version of Rouse, until its model mesh is "
            "there; write Knative, which lets a model sleep until it is asked, or Standard, and "
            "give the model a ServingRuntime that is not multiModel",
        )
    if isvc.spec.canary is not None:
        yield FieldError("spec.canary", _CANARY_STANDARD if mode == STANDARD else _CANARY)


_CANARY = (
    "is for the mode Standard, here as on KServe; in the mode Knative set "
    "spec.predictor.canaryTrafficPercent beside the new model instead"
)
_CANARY_STANDARD = (
    "canaries in the mode Standard (of KServe 0.20) are not available in this version of Rouse, "
    "until its routes split requests between Deployments; remove the field and use the mode "
    "Knative with spec.predictor.canaryTrafficPercent, or apply the other version as an "
    "InferenceService of its own"
)
