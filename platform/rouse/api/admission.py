"""What every write of a serving.kserve.io object passes, in the embedded API and in webhooks."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from rouse.api import inferenceservice, servingruntime
from rouse.api.base import Model, Object
from rouse.api.findings import examine, load, name_in
from rouse.api.inferenceservice.types import InferenceService
from rouse.api.servingruntime.types import ClusterServingRuntime, ServingRuntime
from rouse.errors import FieldError, ValidationError

__all__ = ["review"]

T = TypeVar("T", bound=Model)


def review(obj: Object, old: Object | None = None) -> Object:
    """Return the object as it is to be stored, or refuse it.

    ``old`` is the live object on an update, None on a create. The object is stored in the shape
    the user gave it (see `rouse.api.inferenceservice.defaults`). Kinds unknown here pass.

    Raises ValidationError with all findings.
    """
    match obj.get("kind"):
        case "InferenceService":
            before = None if old is None else load(InferenceService, old)[0]
            _check(InferenceService, obj, lambda isvc: inferenceservice.validate(isvc, before))
        case "ServingRuntime":
            _check(ServingRuntime, obj, servingruntime.validate)
        case "ClusterServingRuntime":
            _check(ClusterServingRuntime, obj, servingruntime.validate)
    return obj


def _check(cls: type[T], obj: Object, rules: Callable[[T], list[FieldError]]) -> None:
    _, findings = examine(cls, obj, rules)
    if findings:
        raise ValidationError(cls.__name__, name_in(obj), findings)
