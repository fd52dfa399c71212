"""Admission of the serving.kserve.io kinds: the same review that webhooks do on a cluster."""

from __future__ import annotations

from rouse.embedded.apiserver.admission import Operation
from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.resources import Resource

__all__ = ["GROUP", "review_model", "warm"]

GROUP = "serving.kserve.io"


def review_model(
    operation: Operation, obj: Object, old: Object | None, resource: Resource
) -> Object:
    """Default and validate a model; other groups pass untouched."""
    if resource.group != GROUP:
        return obj
    from rouse.api.admission import review

    return review(obj, old)


def warm() -> None:
    """Import the reviewer ahead of the first apply: it takes longer than the server's start."""
    import rouse.api.admission  # noqa: F401
