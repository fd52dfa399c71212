"""Which revision a host means, for a request that carries no headers of the gateway's. Pure."""

from __future__ import annotations

from collections.abc import Callable

from rouse.embedded.knative.traffic import targets_of_status
from rouse.kube.objects import Key, Object

__all__ = ["revision_of_host"]


def revision_of_host(
    host: str,
    *,
    revision: Callable[[Key], Object | None],
    route: Callable[[Key], Object | None],
) -> Key | None:
    """The revision named by ``<name>.<namespace>...``, or the one most of a route's traffic has."""
    name, _, rest = host.partition(".")
    namespace = rest.partition(".")[0]
    if not name or not namespace:
        return None
    key = Key(namespace, name)
    if revision(key) is not None:
        return key
    found = route(key)
    targets = targets_of_status(found) if found is not None else ()
    if targets:
        return Key(namespace, max(targets, key=lambda target: target.percent).revision)
    return None
