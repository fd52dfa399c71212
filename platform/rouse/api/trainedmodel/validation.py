"""The rules of a TrainedModel that its types cannot say."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.inferenceservice.storage import explain_uri
from rouse.api.names import is_dns_label
from rouse.api.object_names import check_name
from rouse.api.trainedmodel.types import TrainedModel
from rouse.errors import FieldError

__all__ = ["validate"]


def validate(model: TrainedModel, old: TrainedModel | None = None) -> list[FieldError]:
    """Return every finding about a model as the user gave it; ``old`` is what it replaces."""
    return [*check_name(model.metadata), *_source(model), *_update(model, old)]


def _source(model: TrainedModel) -> Iterator[FieldError]:
    service = model.spec.inference_service
    if not is_dns_label(service):
        yield FieldError("spec.inferenceService", f'"{service}" is no name of an InferenceService')
    problem = explain_uri(model.spec.model.storage_uri)
    if problem:
        yield FieldError("spec.model.storageUri", problem)


def _update(model: TrainedModel, old: TrainedModel | None) -> Iterator[FieldError]:
    if old is None:
        return
    before, memory = str(old.spec.model.memory), str(model.spec.model.memory)
    if memory != before:
        yield FieldError(
            "spec.model.memory",
            f"{memory} cannot replace {before}: the place of a loaded model stays as large as it "
            "is; delete the TrainedModel and create it again",
        )
