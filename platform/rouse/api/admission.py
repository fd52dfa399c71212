"""What every write of a serving.kserve.io object passes, in the embedded API and in webhooks."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from functools import partial
from typing import TypeVar

from rouse.api import (
    clusterstoragecontainer,
    inferencegraph,
    inferenceservice,
    localmodelcache,
    localmodelnamespacecache,
    localmodelnode,
    localmodelnodegroup,
    servingruntime,
    trainedmodel,
)
from rouse.api.base import Model, Object
from rouse.api.findings import examine, load, name_in
from rouse.api.inferenceservice.modes import KNATIVE
from rouse.errors import FieldError, ValidationError

__all__ = ["KINDS", "review"]

T = TypeVar("T", bound=Model)

Check = Callable[[Object, "Object | None"], list[FieldError]]


def review(obj: Object, old: Object | None = None, *, default_mode: str = KNATIVE) -> Object:
    """Return the object as it is to be stored, or refuse it.

    ``old`` is the live object on an update, None on a create; ``default_mode`` the installation's
    mode of InferenceServices that name none. The object is stored in the shape the user gave it
    (see `rouse.api.inferenceservice.defaults`). Kinds unknown here pass.

    Raises ValidationError with all findings.
    """
    kind = obj.get("kind")
    check = _CHECKS.get(kind) if isinstance(kind, str) else None
    if kind == "InferenceService":
        rules = partial(inferenceservice.validate, default_mode=default_mode)
        check = _against_old(inferenceservice.InferenceService, rules)
    findings = check(obj, old) if check is not None else []
    if findings:
        raise ValidationError(str(kind), name_in(obj), findings)
    return obj


def _always(cls: type[T], validate: Callable[[T], list[FieldError]]) -> Check:
    """Check a kind whose rules are the same on create and update."""
    return lambda obj, _: examine(cls, obj, validate)[1]


def _against_old(cls: type[T], validate: Callable[[T, T | None], list[FieldError]]) -> Check:
    """Check a kind of which something cannot change."""

    def check(obj: Object, old: Object | None) -> list[FieldError]:
        before = None if old is None else load(cls, old)[0]
        return examine(cls, obj, lambda typed: validate(typed, before))[1]

    return check


_CHECKS: Mapping[str, Check] = {
    "ClusterServingRuntime": _always(servingruntime.ClusterServingRuntime, servingruntime.validate),
    "ClusterStorageContainer": _always(
        clusterstoragecontainer.ClusterStorageContainer, clusterstoragecontainer.validate
    ),
    "InferenceGraph": _always(inferencegraph.InferenceGraph, inferencegraph.validate),
    "LocalModelCache": _against_old(localmodelcache.LocalModelCache, localmodelcache.validate),
    "LocalModelNamespaceCache": _against_old(
        localmodelnamespacecache.LocalModelNamespaceCache, localmodelnamespacecache.validate
    ),
    "LocalModelNode": _always(localmodelnode.LocalModelNode, localmodelnode.validate),
    "LocalModelNodeGroup": _always(
        localmodelnodegroup.LocalModelNodeGroup, localmodelnodegroup.validate
    ),
    "ServingRuntime": _always(servingruntime.ServingRuntime, servingruntime.validate),
    "TrainedModel": _against_old(trainedmodel.TrainedModel, trainedmodel.validate),
}

KINDS = frozenset({*_CHECKS, "InferenceService"})
"""The kinds of serving.kserve.io that have rules."""
