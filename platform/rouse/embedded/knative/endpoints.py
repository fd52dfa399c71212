"""Who takes a revision's requests: its replicas, or the activator. Written as EndpointSlices."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable
from typing import Final

from rouse.embedded.knative import names
from rouse.embedded.knative.make.endpoints import Endpoint, make_destination_rule, make_slices
from rouse.embedded.knative.ports import Mesh
from rouse.embedded.knative.replicas import Replicas
from rouse.errors import NotFoundError
from rouse.kube.apply import apply_if_differs
from rouse.kube.client import KubeClient
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object, key_of
from rouse.kube.resources import DESTINATION_RULES, ENDPOINT_SLICES
from rouse.kube.store import by_label

__all__ = ["Endpoints"]

_BY_SERVICE: Final = "service"


class Endpoints:
    """Reconciles the slices of one revision by its key.

    ``in_path(key)`` says whether the activator takes all requests of a revision.
    """

    def __init__(
        self,
        client: KubeClient,
        replicas: Replicas,
        mesh: Mesh,
        *,
        revisions: Informer,
        slices: Informer,
        rules: Informer,
        activator: Endpoint,
        in_path: Callable[[Key], bool],
    ) -> None:
        self._client = client
        self._replicas = replicas
        self._mesh = mesh
        self._revisions = revisions
        self._slices = slices
        slices.add_index(_BY_SERVICE, by_label(names.SLICE_SERVICE_LABEL))
        self._rules = rules
        self._activator = activator
        self._in_path = in_path

    def targets(self, key: Key) -> frozenset[Endpoint]:
        """Where requests to the revision should go now."""
        ready = self._ready(key)
        return frozenset({self._activator}) if self._in_path(key) or not ready else ready

    async def reconcile(self, key: Key) -> None:
        """Write the slices of the public and the private Service, and the limit."""
        revision = self._revisions.get(key)
        if revision is None:
            return
        ready = self._ready(key)
        private = names.private_name(key.name)
        rule = make_destination_rule(revision)
        # The limit is there before the replicas are.
        if rule is not None:
            await apply_if_differs(self._client, rule, self._rules.get(key))
        await asyncio.gather(
            self._write(
                key.namespace, key.name, make_slices(revision, key.name, self.targets(key))
            ),
            self._write(key.namespace, private, make_slices(revision, private, ready)),
        )
        if rule is None and self._rules.get(key) is not None:
            await self._client.delete(DESTINATION_RULES, key.name, key.namespace)

    async def settled(self, key: Key, timeout_s: float) -> bool:
        """Whether the gateway itself sends the revision's requests where they should go now."""
        wanted = frozenset((one.host, one.port) for one in self.targets(key))
        return await self._mesh.serving(key, wanted, timeout_s)

    def _ready(self, key: Key) -> frozenset[Endpoint]:
        return self._replicas.endpoints(Key(key.namespace, names.deployment_name(key.name)))

    async def _write(self, namespace: str, service: str, wanted: Iterable[Object]) -> None:
        found = self._slices.indexed(_BY_SERVICE, service)
        live = {key_of(one): one for one in found if key_of(one).namespace == namespace}
        for one in wanted:
            await apply_if_differs(self._client, one, live.pop(key_of(one), None))
        for key in live:
            try:
                await self._client.delete(ENDPOINT_SLICES, key.name, key.namespace)
            except NotFoundError:
                continue
