"""Route -> VirtualService: traffic to revisions that are ready, and only to those."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from rouse.embedded.knative.make.ingress import make_virtual_service
from rouse.embedded.knative.names import GENERATION_LABEL
from rouse.embedded.knative.ports import Clock
from rouse.embedded.knative.settings import Settings
from rouse.embedded.knative.status.route import route_status
from rouse.embedded.knative.traffic import Target, referenced, resolve, targets_of_status
from rouse.embedded.knative.writes import rfc3339, write_status
from rouse.kube.apply import apply_if_differs
from rouse.kube.client import KubeClient
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object, key_of, labels_of

__all__ = ["Routes", "is_reachable"]


class Routes:
    """Reconciles one Route by key."""

    def __init__(
        self,
        client: KubeClient,
        *,
        routes: Informer,
        configurations: Informer,
        revisions: Informer,
        virtual_services: Informer,
        settings: Callable[[], Settings],
        clock: Clock,
    ) -> None:
        self._client = client
        self._routes = routes
        self._configurations = configurations
        self._revisions = revisions
        self._virtual_services = virtual_services
        self._settings = settings
        self._clock = clock

    async def reconcile(self, key: Key) -> None:
        """Resolve the traffic; where it cannot be resolved, what is served stays as it is."""
        route = self._routes.get(key)
        if route is None or route["metadata"].get("deletionTimestamp"):
            return
        resolution = resolve(
            route,
            lambda name: self._configurations.get(Key(key.namespace, name)),
            lambda name: self._revisions.get(Key(key.namespace, name)),
        )
        served = resolution.targets or targets_of_status(route)
        status = route_status(
            route,
            resolution,
            served,
            virtual_service=await self._serve(route, served) if served else None,
            domain=self._settings().domain,
            now=rfc3339(self._clock.utc()),
        )
        await write_status(self._client, route, status)

    async def _serve(self, route: Object, served: Sequence[Target]) -> Object | None:
        """Write the VirtualService; returns it with the status the mesh gave it."""
        wanted = make_virtual_service(route, served, self._settings().domain)
        live = self._virtual_services.get(key_of(wanted))
        return await apply_if_differs(self._client, wanted, live) or live


def is_reachable(revision: Object, routes: Sequence[Object], configuration: Object | None) -> bool:
    """Whether a route leads to the revision, or may soon: the newest one waits for its route."""
    name = revision["metadata"]["name"]
    if any(name in referenced(route) for route in routes):
        return True
    if configuration is None:
        return True
    latest = (configuration.get("status") or {}).get("latestCreatedRevisionName")
    generation = int(labels_of(revision).get(GENERATION_LABEL, 0))
    return latest == name or generation >= int(configuration["metadata"].get("generation", 1))
