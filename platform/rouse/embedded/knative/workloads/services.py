"""The endpoints of Services that select pods: what a cluster's EndpointSlice controller does."""

from __future__ import annotations

import asyncio
from collections.abc import Iterable, Mapping
from typing import Final

from rouse.embedded.knative import names
from rouse.embedded.knative.make.endpoints import Endpoint
from rouse.embedded.knative.ports import Mesh, Node
from rouse.embedded.knative.replicas import Replica, Replicas
from rouse.embedded.knative.workloads.slices import (
    MANAGER,
    Backend,
    make_service_slices,
    selector_of_service,
    slice_ports,
)
from rouse.errors import NotFoundError
from rouse.kube.apply import apply_if_differs
from rouse.kube.client import KubeClient
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object, key_of, labels_match, labels_of
from rouse.kube.resources import ENDPOINT_SLICES

__all__ = ["ServiceEndpoints"]

_BY_SERVICE: Final = "service"
_LOOK_S: Final = 0.2


class ServiceEndpoints:
    """Reconciles the slices of one Service by its key. ``slices`` must have the index "service"."""

    def __init__(
        self,
        client: KubeClient,
        node: Node,
        replicas: Replicas,
        mesh: Mesh,
        *,
        services: Informer,
        pods: Informer,
        slices: Informer,
    ) -> None:
        self._client = client
        self._node = node
        self._replicas = replicas
        self._mesh = mesh
        self._services = services
        self._pods = pods
        self._slices = slices

    async def reconcile(self, key: Key) -> None:
        """Write one slice per pod that serves; the others go."""
        service = self._services.get(key)
        if service is None:
            return  # its slices are its dependents, and go with it
        selector = selector_of_service(service)
        wanted = make_service_slices(service, self._backends(key, selector)) if selector else []
        live = {
            key_of(one): one
            for one in self._slices.indexed(_BY_SERVICE, key.name)
            if key_of(one).namespace == key.namespace
            and (one["metadata"].get("labels") or {}).get(names.SLICE_MANAGER_LABEL) == MANAGER
        }
        for one in wanted:
            await apply_if_differs(self._client, one, live.pop(key_of(one), None))
        for gone in live:
            try:
                await self._client.delete(ENDPOINT_SLICES, gone.name, gone.namespace)
            except NotFoundError:
                continue

    def selecting(self, namespace: str, *label_sets: Mapping[str, str]) -> list[Key]:
        """The Services that select pods with any of these labels."""
        pods = [{"metadata": {"labels": dict(labels)}} for labels in label_sets]
        return [
            key_of(service)
            for service in self._services.list(namespace)
            if (selector := selector_of_service(service))
            and any(labels_match(selector, pod) for pod in pods)
        ]

    async def settled(self, deployment: Key, timeout_s: float) -> bool:
        """Whether the gateway sends nothing more to the Deployment's retiring replicas."""
        retiring = [one for one in self._replicas.all(deployment) if one.retiring]
        gone = frozenset(
            (one.state.host, port)
            for one in retiring
            if one.state is not None
            for port in one.state.ports.values()
        )
        labels = [one.pod["metadata"].get("labels") or {} for one in retiring]
        services = self.selecting(deployment.namespace, *labels)
        return await self._mesh.avoiding(services, gone, timeout_s)

    async def reached(self, deployment: Key, timeout_s: float) -> bool:
        """Wait until the gateway sends requests to every ready replica that Services select.

        False when it does not within the timeout.
        """
        try:
            async with asyncio.timeout(timeout_s):
                while not await self._is_reached(deployment):
                    pass  # replicas and Services may be others by now
        except TimeoutError:
            return False
        return True

    async def _is_reached(self, deployment: Key) -> bool:
        for replica in self._replicas.ready(deployment):
            for service, endpoint in self._places(replica):
                if not await self._mesh.reaching(service, endpoint, _LOOK_S):
                    return False
        return True

    def _places(self, replica: Replica) -> list[tuple[Key, Endpoint]]:
        """Where a replica is to be reached: Services and its address in each."""
        state, labels = replica.state, labels_of(replica.pod)
        if state is None:
            return []
        backend = Backend(replica.pod, state.host, state.ports)
        return [
            (key, Endpoint(state.host, port["port"]))
            for key in self.selecting(replica.key.namespace, labels)
            if (service := self._services.get(key)) is not None
            for port in slice_ports(service, backend)
        ]

    def _backends(self, key: Key, selector: Mapping[str, str]) -> Iterable[Backend]:
        for pod in self._pods.list(key.namespace, selector):
            state = self._node.status(*key_of(pod))
            if state is not None and state.ready and self._may_serve(pod):
                yield Backend(pod, state.host, state.ports)

    def _may_serve(self, pod: Object) -> bool:
        leaving = pod["metadata"].get("deletionTimestamp") is not None
        return not leaving and not self._replicas.is_retiring(key_of(pod))
