"""The conditions of a TrainedModel, all of which ``Ready`` needs."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import READY, Finding, condition_of, summarize
from rouse.api.trainedmodel.types import TrainedModel

__all__ = [
    "FRAMEWORK_SUPPORTED",
    "INFERENCE_SERVICE_READY",
    "IS_MMS_PREDICTOR",
    "MEMORY_AVAILABLE",
    "Reason",
    "conditions",
]

INFERENCE_SERVICE_READY = "InferenceServiceReady"
FRAMEWORK_SUPPORTED = "FrameworkSupported"
IS_MMS_PREDICTOR = "IsMMSPredictor"
MEMORY_AVAILABLE = "MemoryResourceAvailable"


class Reason:
    """Why a condition is what it is."""

    FRAMEWORK_NOT_SUPPORTED = "FrameworkNotSupported"
    NO_MEMORY = "MemoryResourceNotAvailable"
    NOT_FOUND = "InferenceServiceNotFound"
    NOT_MULTI_MODEL = "IsNotMMSPredictor"
    NOT_READY = "InferenceServiceNotReady"


def conditions(
    model: TrainedModel,
    service: Object | None,
    *,
    frameworks: frozenset[str] | None,
    memory_left: bool,
) -> tuple[Finding, ...]:
    """Return the conditions of a model.

    ``service`` is its InferenceService as it is in the API, ``frameworks`` what its runtime can
    load (None when the runtime loads one model only), ``memory_left`` whether a replica has room.
    """
    wanted = model.spec.model
    loads_several = frameworks is not None
    parts = (
        _service(model.spec.inference_service, service),
        _part(
            IS_MMS_PREDICTOR,
            loads_several,
            Reason.NOT_MULTI_MODEL,
            "the service's runtime loads one model only; choose one with multiModel: true",
        ),
        _part(
            FRAMEWORK_SUPPORTED,
            frameworks is not None and wanted.framework in frameworks,
            Reason.FRAMEWORK_NOT_SUPPORTED,
            f"the service's runtime does not load {wanted.framework}; it loads "
            + (", ".join(sorted(frameworks or ())) or "no further model"),
        ),
        _part(
            MEMORY_AVAILABLE,
            memory_left,
            Reason.NO_MEMORY,
            f"no replica has {wanted.memory} left; raise the memory of the InferenceService",
        ),
    )
    return (*parts, summarize(parts))


def _service(name: str, service: Object | None) -> Finding:
    if service is None:
        return Finding(
            INFERENCE_SERVICE_READY,
            "False",
            Reason.NOT_FOUND,
            f"there is no InferenceService {name} in the namespace; create it",
        )
    if condition_of(service, READY).get("status") != "True":
        return Finding(
            INFERENCE_SERVICE_READY,
            "Unknown",
            Reason.NOT_READY,
            f"waiting for InferenceService {name}",
        )
    return Finding(INFERENCE_SERVICE_READY, "True")


def _part(type_: str, holds: bool, reason: str, message: str) -> Finding:
    return Finding(type_, "True") if holds else Finding(type_, "False", reason, message)
