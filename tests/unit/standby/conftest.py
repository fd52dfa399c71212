"""The controllers of standby pods on the API's core; the test plays Kubernetes' own controllers."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import AsyncIterator, Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import pytest
import yaml

from rouse.compiler.config import Config
from rouse.compiler.names import SERVICE_LABEL
from rouse.controllers.standby.build import make_standby
from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.transport import ApiServerTransport
from rouse.kube import EventRecorder, Informer, InformerOptions, KubeClient, owner_reference
from rouse.kube.client import EventType
from rouse.kube.manager import Manager
from rouse.kube.objects import Object
from rouse.kube.resources import (
    CLUSTER_STORAGE_CONTAINERS,
    CONFIG_MAPS,
    DEPLOYMENTS,
    EVENTS,
    INFERENCE_SERVICES,
    PODS,
    RESOURCES,
    Resource,
)
from tests.unit.controllers.harness import Faults

GOLDEN = Path(__file__).parents[2] / "golden" / "standard-plain" / "wanted.yaml"
REPLICA_SETS = RESOURCES["apps/v1", "ReplicaSet"]
POLICIES = RESOURCES["networking.k8s.io/v1", "NetworkPolicy"]
RUNTIME = "rouse-sklearnserver"


@dataclass
class World:
    """A user of the API, and the settings that the controllers see."""

    user: KubeClient
    faults: Faults
    config: Config
    handed: list[str] = field(default_factory=list)
    """How each hand-over went."""

    async def settle(self, **standby: Any) -> None:
        """Set the budget of the sklearn runtime."""
        text = yaml.safe_dump({RUNTIME: standby}) if standby else "{}"
        await self.user.apply(
            {
                "apiVersion": "v1",
                "kind": "ConfigMap",
                "metadata": {"name": "rouse-config", "namespace": "rouse-system"},
                "data": {"standby": text},
            }
        )

    async def service(self, name: str, *, replicas: int = 0, **container: Any) -> Object:
        """Make an InferenceService of the mode Standard, its Deployment and ReplicaSet."""
        isvc = {
            "apiVersion": "serving.kserve.io/v1beta1",
            "kind": "InferenceService",
            "metadata": {"name": name, "namespace": "default"},
            "spec": {"predictor": {"model": {"modelFormat": {"name": "sklearn"}}}},
        }
        stored = await self.user.create(isvc)
        status = {"clusterServingRuntimeName": RUNTIME}
        await self.user.replace({**stored, "status": status}, subresource="status")
        made = await self.user.create(deployment(name, replicas, container))
        template = copy.deepcopy(made["spec"]["template"])
        template["metadata"]["labels"]["pod-template-hash"] = f"hash-{name}"
        labels = template["metadata"]["labels"]
        await self.user.create(
            {
                "apiVersion": "apps/v1",
                "kind": "ReplicaSet",
                "metadata": {
                    "name": f"{name}-predictor-x",
                    "namespace": "default",
                    "labels": labels,
                    "ownerReferences": [owner_reference(made)],
                },
                "spec": {
                    "replicas": replicas,
                    "selector": {"matchLabels": labels},
                    "template": template,
                },
            }
        )
        return made

    async def scale(self, name: str, replicas: int) -> None:
        """Scale a service's Deployment, as KEDA does."""
        body = {"spec": {"replicas": replicas}}
        await self.user.patch(DEPLOYMENTS, f"{name}-predictor", body, namespace="default")

    async def answers(self, name: str) -> None:
        """Let a replica of the service be ready, as the Deployment's status tells."""
        live = await self.user.get(DEPLOYMENTS, f"{name}-predictor", "default")
        status = {"replicas": 1, "readyReplicas": 1}
        await self.user.replace({**live, "status": status}, subresource="status")

    async def pool(self) -> Object:
        """Wait for the one Deployment of standby pods."""

        async def found() -> list[Object]:
            return (await self.user.list(DEPLOYMENTS, labels="rouse.dev/standby")).items

        pools: list[Object] = await self.until(found)
        return pools[0]

    async def pod(self, pool: Object, name: str = "standby-1") -> Object:
        """Make a pod of a pool that is ready on this machine, as its ReplicaSet and kubelet do."""
        template = pool["spec"]["template"]
        labels = {**template["metadata"]["labels"], "pod-template-hash": "pool"}
        made = await self.user.create(
            {
                "apiVersion": "v1",
                "kind": "Pod",
                "metadata": {
                    **template["metadata"],
                    "name": name,
                    "namespace": "default",
                    "labels": labels,
                },
                "spec": template["spec"],
            }
        )
        ready = [{"type": "Ready", "status": "True"}]
        status = {"phase": "Running", "podIP": "127.0.0.1", "conditions": ready}
        return await self.user.replace({**made, "status": status}, subresource="status")

    async def until(self, look: Callable[[], Any], holds: Callable[[Any], Any] = bool) -> Any:
        """Wait until what is looked up holds; return it."""
        async with asyncio.timeout(15):
            while not holds(found := await look()):
                await asyncio.sleep(0.01)
            return found

    async def listed(self, resource: Resource) -> list[Object]:
        """The objects of a kind in the namespace default."""
        return (await self.user.list(resource, "default")).items

    async def event(self, reason: str) -> str:
        """Wait for an Event of the reason; return its message."""

        async def found() -> list[str]:
            events = (await self.user.list(EVENTS)).items
            return [each["message"] for each in events if each["reason"] == reason]

        return str((await self.until(found))[0])

    async def gone(self, pod: str) -> None:
        """Wait until a pod is deleted."""

        async def names() -> list[str]:
            pods = await self.listed(PODS)
            return [
                each["metadata"]["name"]
                for each in pods
                if not each["metadata"].get("deletionTimestamp")
            ]

        await self.until(names, lambda found: pod not in found)


def deployment(name: str, replicas: int, container: Mapping[str, Any]) -> Object:
    """The compiled Deployment of an InferenceService, its container changed."""
    documents = yaml.safe_load_all(GOLDEN.read_text().replace("iris", name))
    made: Object = next(each for each in documents if each.get("kind") == "Deployment")
    made["metadata"].pop("ownerReferences")
    made["spec"]["replicas"] = replicas
    made["spec"]["template"]["spec"]["containers"][0] |= container
    return made


@pytest.fixture
async def world(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[World]:
    # A key of half the length is made in a tenth of the time.
    monkeypatch.setattr("rouse.controllers.standby.signing._BITS", 2048)
    async with memory_api() as (server, http):
        faults = Faults(ApiServerTransport(server))
        client = KubeClient(httpx.AsyncClient(transport=faults, base_url="https://rouse.test"))
        recorder = EventRecorder(client, "test")
        ours = InformerOptions(labels=SERVICE_LABEL, packed=True)
        settings = Informer(client, CONFIG_MAPS, "rouse-system")
        shared = (
            Informer(client, INFERENCE_SERVICES),
            Informer(client, DEPLOYMENTS, options=ours),
            Informer(client, CLUSTER_STORAGE_CONTAINERS),
            settings,
        )
        made = World(KubeClient(http, field_manager="user"), faults, Config())

        def read(_type: EventType, obj: Object) -> None:
            made.config = Config.from_config_map(obj)

        settings.add_handler(read)
        parts = make_standby(
            client,
            *shared,
            lambda: made.config,
            recorder,
            told=lambda result: made.handed.append(result),
            calm_s=0.0,
            settle_s=0.05,
        )
        async with Manager(
            informers=[*shared, *parts.informers],
            controllers=parts.controllers,
            recorder=recorder,
        ):
            yield made
