"""Admission of the serving.kserve.io kinds: the same review that webhooks do on a cluster."""

from __future__ import annotations

import re

from rouse.embedded.apiserver.admission import Operation, Plugin
from rouse.embedded.apiserver.admission_config import default_mode, storage_containers
from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.store import Store
from rouse.errors import ValidationError

__all__ = ["GROUP", "advice", "model_admission", "warm"]

GROUP = "serving.kserve.io"

_SERVICE = "InferenceService"
_SCHEME = re.compile(r"([a-z][a-z0-9+.-]*)://")


def model_admission(store: Store) -> Plugin:
    """A plugin that validates what is written; it looks the default mode up in ``store``."""

    def review_model(
        operation: Operation, obj: Object, old: Object | None, resource: Resource
    ) -> Object:
        if resource.group != GROUP:
            return obj
        from rouse.api.admission import review

        if resource.kind != _SERVICE:
            return review(obj, old)
        stored = review(obj, old, default_mode=default_mode(store))
        if _names_unknown_scheme(obj):
            _check_schemes(stored, old, storage_containers(store))
        return stored

    return review_model


def advice(obj: Object, resource: Resource) -> list[str]:
    """Return the warnings that webhooks give on a cluster, of an object that was admitted."""
    if resource.group != GROUP:
        return []
    from rouse.api.advice import advise

    return advise(obj)


def _names_unknown_scheme(obj: Object) -> bool:
    """Whether anything looks like a location that is not Rouse's: else no compiler is needed."""
    from rouse.api.inferenceservice.storage import SCHEMES

    return not set(_SCHEME.findall(str(obj.get("spec")))).issubset(SCHEMES)


def _check_schemes(obj: Object, old: Object | None, containers: list[Object]) -> None:
    from rouse.compiler.storage.known import find_unknown_schemes

    if findings := find_unknown_schemes(obj, old, containers):
        raise ValidationError(_SERVICE, obj["metadata"].get("name", ""), findings)


def warm() -> None:
    """Import the reviewer ahead of the first apply: it takes longer than the server's start."""
    import rouse.api.admission
    import rouse.api.advice  # noqa: F401
