"""Whether requests are led to a revision, as Knative writes it into the revision's metadata."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

from rouse.embedded.knative import names
from rouse.kube.objects import Object, labels_of

__all__ = ["PENDING", "ROUTING_ANNOTATIONS", "routing_of"]

PENDING: Final = "pending"
"""Of a revision that no route has named yet."""
ROUTING_ANNOTATIONS: Final = frozenset({names.ROUTES_ANNOTATION, names.ROUTING_MODIFIED})
"""They and the label are the revision's own: what is made of it must not change with them."""


def routing_of(revision: Object, routes: Iterable[str], *, now: str) -> Object | None:
    """Return the change of the revision's metadata, None where it is as it should be.

    ``routes`` are the names of those that lead to it. One that had a route and lost it is kept in
    reserve.
    """
    before = labels_of(revision).get(names.ROUTING_STATE_LABEL, PENDING)
    named = ",".join(sorted(routes))
    state = "active" if named else "reserve" if before == "active" else before
    annotations = revision["metadata"].get("annotations") or {}
    if state == before and (annotations.get(names.ROUTES_ANNOTATION) or "") == named:
        return None
    change: Object = {names.ROUTES_ANNOTATION: named or None}
    if state != before:
        change[names.ROUTING_MODIFIED] = now
    return {"labels": {names.ROUTING_STATE_LABEL: state}, "annotations": change}
