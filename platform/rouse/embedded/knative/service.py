"""Knative Service -> Configuration and Route."""

from __future__ import annotations

from rouse.embedded.knative.make.configuration import make_configuration, make_route
from rouse.embedded.knative.ports import Clock
from rouse.embedded.knative.status.configuration import service_status
from rouse.embedded.knative.writes import rfc3339, write_status
from rouse.kube.apply import apply_if_differs
from rouse.kube.client import KubeClient
from rouse.kube.informer import Informer
from rouse.kube.objects import Key

__all__ = ["Services"]


class Services:
    """Reconciles one Knative Service by key."""

    def __init__(
        self,
        client: KubeClient,
        *,
        services: Informer,
        configurations: Informer,
        routes: Informer,
        clock: Clock,
    ) -> None:
        self._client = client
        self._services = services
        self._configurations = configurations
        self._routes = routes
        self._clock = clock

    async def reconcile(self, key: Key) -> None:
        """Write both children, then gather what they say."""
        service = self._services.get(key)
        if service is None or service["metadata"].get("deletionTimestamp"):
            return
        configuration, route = self._configurations.get(key), self._routes.get(key)
        written = await apply_if_differs(self._client, make_configuration(service), configuration)
        configuration = written or configuration
        written = await apply_if_differs(self._client, make_route(service), route)
        route = written or route
        now = rfc3339(self._clock.utc())
        await write_status(
            self._client, service, service_status(service, configuration, route, now=now)
        )
