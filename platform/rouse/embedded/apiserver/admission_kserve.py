"""Admission of the serving.kserve.io kinds: the same review that webhooks do on a cluster."""

from __future__ import annotations

from rouse.embedded.apiserver.admission import Operation, Plugin
from rouse.embedded.apiserver.admission_config import default_mode
from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.store import Store

__all__ = ["GROUP", "model_admission", "warm"]

GROUP = "serving.kserve.io"

_SERVICE = "InferenceService"


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
        return review(obj, old, default_mode=default_mode(store))

    return review_model


def warm() -> None:
    """Import the reviewer ahead of the first apply: it takes longer than the server's start."""
    import rouse.api.admission  # noqa: F401
