"""What the owned objects of a kind tell its compiler. Pure."""

from __future__ import annotations

from collections.abc import Iterable

from rouse.api.base import Object
from rouse.compiler import Observed
from rouse.kube.objects import key_of
from rouse.kube.resources import (
    DEPLOYMENTS,
    KNATIVE_SERVICES,
    VIRTUAL_SERVICES,
    Resource,
    resource_of,
)

__all__ = ["observe_owned"]


def observe_owned(owner: Object, owned: Iterable[Object]) -> Observed:
    """Return what ``owner``'s own objects and its last status say; the rest is each kind's."""
    mine = list(owned)
    key = key_of(owner)
    routes = (one for one in mine if resource_of(one) is VIRTUAL_SERVICES)
    return Observed(
        knative_services=_named(mine, KNATIVE_SERVICES),
        deployments=_named(mine, DEPLOYMENTS),
        virtual_service=next((one for one in routes if key_of(one) == key), None),
        previous_status=owner.get("status") or {},
    )


def _named(objects: Iterable[Object], resource: Resource) -> dict[str, Object]:
    return {one["metadata"]["name"]: one for one in objects if resource_of(one) is resource}
