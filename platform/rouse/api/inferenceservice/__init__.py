"""InferenceService, serving.kserve.io/v1beta1: types, defaults, validation, lifecycle."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.findings import load, name_in
from rouse.api.inferenceservice.defaults import default
from rouse.api.inferenceservice.types import InferenceService
from rouse.api.inferenceservice.validation import validate
from rouse.errors import ValidationError

__all__ = ["InferenceService", "default", "parse", "validate"]


def parse(obj: Object) -> InferenceService:
    """Read an InferenceService.

    Raises ValidationError with every finding about fields and their types; the rules across
    fields are `validate`'s.
    """
    isvc, findings = load(InferenceService, obj)
    if isvc is None or findings:
        raise ValidationError("InferenceService", name_in(obj), findings)
    return isvc
