"""A cluster in this process, with Knative and Istio, and Deployments played by the test."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any

import orjson

from rouse.embedded.apiserver.memory import memory_api
from rouse.errors import NotFoundError, RejectedError
from rouse.installer.cluster import Cluster
from rouse.installer.install import Plan, install
from rouse.installer.outcome import Action, Outcome
from rouse.installer.selection import Selection, select
from rouse.kube.client import KubeClient
from rouse.kube.objects import Object
from rouse.kube.requests import ApiRequest
from rouse.kube.resources import DEPLOYMENTS, NAMESPACES

NAMESPACE = "rouse-system"


class Client(KubeClient):
    """Tells a version of its own; of kinds and objects that are ``absent`` it knows nothing."""

    version = "v1.32.0"
    absent: frozenset[str] = frozenset()
    refuses: Callable[[ApiRequest], str] | None = None
    """Why a webhook refuses a request; empty for one that it lets pass."""

    async def send(
        self, request: ApiRequest, *, warned: Callable[[str], None] | None = None
    ) -> Object:
        if request.path == "/version":
            return {"gitVersion": self.version}
        reason = self.refuses(request) if self.refuses is not None else ""
        if reason:
            raise RejectedError(reason, status=403)
        if any(request.path.startswith(path) for path in self.absent):
            raise NotFoundError("not here", status=404)
        return await super().send(request, warned=warned)


@cache
def selected(overlay: str) -> tuple[Object, ...]:
    """What the overlay has, with those definitions only that the tests need: they are long."""
    return tuple(
        obj
        for obj in select(Selection(overlay))
        if obj["kind"] != "CustomResourceDefinition" or obj["metadata"]["name"] in DEFINITIONS
    )


@dataclass
class World:
    """The cluster, and what was told of the objects."""

    client: Client
    user: KubeClient
    cluster: Cluster
    told: list[Outcome] = field(default_factory=list)

    async def change(self, live: Object) -> Object:
        """Replace an object of any kind, as a user does."""
        resource = await self.cluster.find(live["apiVersion"], live["kind"])
        assert resource is not None
        metadata = live["metadata"]
        path = resource.path(metadata.get("namespace"), metadata["name"])
        params = {"fieldManager": "user"}
        return await self.user.send(ApiRequest("PUT", path, params, orjson.dumps(live)))

    def plan(self, overlay: str = "production", **changes: Any) -> Plan:
        objects = changes.pop("objects", None) or selected(overlay)
        settings: dict[str, Any] = {"wait": False, "version": "1"}
        return Plan(objects=tuple(objects), overlay=overlay, **{**settings, **changes})

    async def install(self, overlay: str = "production", **changes: Any) -> dict[str, Action]:
        self.told.clear()
        await install(self.cluster, self.plan(overlay, **changes), self.told.append)
        return {one.what: one.action for one in self.told}

    async def get(self, kind: str, name: str, namespace: str = NAMESPACE) -> Object | None:
        return await self.cluster.get(VERSIONS.get(kind, "v1"), kind, name, namespace)

    async def set_data(self, name: str, namespace: str, data: Object) -> None:
        """Set keys of a ConfigMap as a user with kubectl does."""
        metadata = {"name": name, "namespace": namespace}
        await self.user.apply(
            {"apiVersion": "v1", "kind": "ConfigMap", "metadata": metadata, "data": data}
        )

    async def run_deployment(self, name: str) -> None:
        """Let the Deployment have all its replicas, as its controller would say."""
        live = await self.client.get(DEPLOYMENTS, name, NAMESPACE)
        replicas = live["spec"]["replicas"]
        status = {
            "observedGeneration": live["metadata"]["generation"],
            "replicas": replicas,
            "updatedReplicas": replicas,
            "availableReplicas": replicas,
        }
        await self.user.replace({**live, "status": status}, subresource="status")


DEFINITIONS = frozenset(
    {
        "clusterservingruntimes.serving.kserve.io",
        "clusterstoragecontainers.serving.kserve.io",
        "inferenceservices.serving.kserve.io",
    }
)
VERSIONS = {
    "ClusterRole": "rbac.authorization.k8s.io/v1",
    "ClusterServingRuntime": "serving.kserve.io/v1alpha1",
    "CustomResourceDefinition": "apiextensions.k8s.io/v1",
    "Deployment": "apps/v1",
    "Gateway": "networking.istio.io/v1",
    "InferenceService": "serving.kserve.io/v1beta1",
    "MutatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
    "NetworkPolicy": "networking.k8s.io/v1",
    "ValidatingWebhookConfiguration": "admissionregistration.k8s.io/v1",
}


@asynccontextmanager
async def world(*, slept: Callable[[float], Any] | None = None) -> AsyncIterator[World]:
    """A cluster with Knative and Istio and nothing of Rouse; ``slept`` runs at every wait."""

    async def sleep(seconds: float) -> None:
        # Time passes faster here, and others still get their turn.
        await asyncio.sleep(0.001)
        if slept is not None:
            await slept(seconds)

    async with memory_api(manifests=False) as (_, http):
        client = Client(http)
        made = World(client, KubeClient(http, field_manager="user"), Cluster(client, sleep=sleep))
        await client.delete(NAMESPACES, NAMESPACE)
        async with asyncio.timeout(10):
            while await made.get("Namespace", NAMESPACE, ""):
                await asyncio.sleep(0.01)
        yield made
