"""What KServe has and this version of Rouse does not: refused by name, never ignored."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.inferenceservice.modes import MODE_ANNOTATION, MODELMESH
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
