"""Route -> VirtualService: traffic to revisions that are ready, and only to those."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence

from rouse.embedded.knative.conditions import TRUE, status_of
from rouse.embedded.knative.confirmations import Confirmations
from rouse.embedded.knative.make.ingress import make_virtual_service
from rouse.embedded.knative.names import GENERATION_LABEL
from rouse.embedded.knative.ports import Clock
from rouse.embedded.knative.settings import Settings
from rouse.embedded.knative.status.route import INGRESS_READY, route_status
from rouse.embedded.knative.traffic import Target, referenced, resolve, targets_of_status
from rouse.embedded.knative.writes import rfc3339, write_status
from rouse.kube.apply import apply_if_differs
from rouse.kube.client import KubeClient
from rouse.kube.controller import Requeue
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object, key_of, labels_of, resource_version_of

__all__ = ["Routes", "is_reachable"]

_ASK_AGAIN_S = 1.0


class Routes:
    """Reconciles one Route by key.

    ``effective(virtual_service, revisions)`` waits, for a bounded time, until the gateway itself
    follows the VirtualService to these revisions; ``again(key)`` asks for another reconcile.
    """

    def __init__(
        self,
        client: KubeClient,
        *,
        routes: Informer,
        configurations: Informer,
        revisions: Informer,
        virtual_services: Informer,
        effective: Callable[[Object, Sequence[Key]], Awaitable[bool]],
        again: Callable[[Key], None],
        settings: Callable[[], Settings],
        clock: Clock,
    ) -> None:
        self._client = client
        self._routes = routes
        self._configurations = configurations
        self._revisions = revisions
        self._virtual_services = virtual_services
        self._effective = effective
        self._confirmations = Confirmations(again)
        self._settings = settings
        self._clock = clock

    async def reconcile(self, key: Key) -> Requeue | None:
        """Resolve the traffic; where it cannot be resolved, what is served stays as it is."""
        route = self._routes.get(key)
        if route is None or route["metadata"].get("deletionTimestamp"):
            self._confirmations.forget(key)
            return None
        resolution = resolve(
            route,
            lambda name: self._configurations.get(Key(key.namespace, name)),
            lambda name: self._revisions.get(Key(key.namespace, name)),
        )
        served = resolution.targets or targets_of_status(route)
        effective = await self._serve(route, served) if served else False
        status = route_status(
            route,
            resolution,
            served,
            effective=effective,
            domain=self._settings().domain,
            now=rfc3339(self._clock.utc()),
        )
        await write_status(self._client, route, status)
        return Requeue(_ASK_AGAIN_S) if served and not effective else None

    async def _serve(self, route: Object, served: Sequence[Target]) -> bool:
        """Write the VirtualService; True once the gateway follows it."""
        wanted = make_virtual_service(route, served, self._settings().domain)
        namespace = route["metadata"]["namespace"]
        live = self._virtual_services.get(Key(namespace, wanted["metadata"]["name"]))
        written = await apply_if_differs(self._client, wanted, live)
        conditions = (route.get("status") or {}).get("conditions") or ()
        if written is None and status_of(conditions, INGRESS_READY)[0] == TRUE:
            return True
        revisions = [Key(namespace, name) for name in sorted({one.revision for one in served})]
        present = written or live or wanted
        return await self._confirmations.confirmed(
            key_of(route),
            resource_version_of(present),
            lambda: self._effective(present, revisions),
        )

    async def stop(self) -> None:
        """Stop waiting for the gateway."""
        await self._confirmations.stop()


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
