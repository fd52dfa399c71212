"""TrainedModel, serving.kserve.io/v1alpha1: types, validation, lifecycle. It has no defaults."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.findings import read
from rouse.api.trainedmodel.types import TrainedModel
from rouse.api.trainedmodel.validation import validate

__all__ = ["TrainedModel", "parse", "validate"]


def parse(obj: Object) -> TrainedModel:
    """Read a TrainedModel.

    Raises ValidationError with every finding about fields and their types; the rules across
    fields are `validate`'s.
    """
    return read(TrainedModel, obj)
