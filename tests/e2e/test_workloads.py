"""Mode Standard's objects, transformers and concurrency limits, on the real engine."""

from __future__ import annotations

import asyncio
import sys
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import orjson
import pytest

from perf.harness import Engine
from rouse.errors import NotFoundError
from rouse.kube.objects import Object
from rouse.kube.resources import (
    DEPLOYMENTS,
    ENDPOINT_SLICES,
    KNATIVE_SERVICES,
    PODS,
    VIRTUAL_SERVICES,
    resource_of,
)
from rouse.sdk import AsyncClient
from tests.e2e.support import ROW, isvc, until

SERVERS = Path(__file__).with_name("servers")
GATEWAYS = ["knative-serving/knative-ingress-gateway", "knative-serving/knative-local-gateway"]


@pytest.fixture
async def made(client: AsyncClient) -> AsyncIterator[list[Object]]:
    """Objects to delete when the test ends."""
    objects: list[Object] = []
    yield objects
    for obj in reversed(objects):
        metadata = obj["metadata"]
        try:
            await client.kube.delete(resource_of(obj), metadata["name"], metadata["namespace"])
        except NotFoundError:
            continue


def standard(name: str, model: str, *, replicas: int = 1) -> list[Object]:
    """What mode Standard comes to, written by hand."""
    meta = {"name": name, "namespace": "default"}
    host = f"{name}.default.svc.cluster.local"
    container = {
        "name": "kserve-container",
        "image": "ghcr.io/rouse/sklearnserver:v0.1.0",
        "args": [f"--model_name={name}", "--model_dir=/mnt/models", "--http_port=8080"],
        "ports": [{"containerPort": 8080}],
        "readinessProbe": {"httpGet": {"path": f"/v2/models/{name}/ready", "port": 8080}},
        "volumeMounts": [{"name": "model", "mountPath": "/mnt/models", "subPath": model}],
    }
    volume = {"name": "model", "persistentVolumeClaim": {"claimName": "models"}}
    template = {
        "metadata": {"labels": {"app": name}},
        "spec": {"containers": [container], "volumes": [volume]},
    }
    return [
        {
            "apiVersion": "apps/v1",
            "kind": "Deployment",
            "metadata": meta,
            "spec": {
                "replicas": replicas,
                "selector": {"matchLabels": {"app": name}},
                "template": template,
            },
        },
        {
            "apiVersion": "v1",
            "kind": "Service",
            "metadata": meta,
            "spec": {"selector": {"app": name}, "ports": [{"port": 80, "targetPort": 8080}]},
        },
        {
            "apiVersion": "networking.istio.io/v1",
            "kind": "VirtualService",
            "metadata": meta,
            "spec": {
                "hosts": [host, f"{name}.default.localhost"],
                "gateways": GATEWAYS,
                "http": [{"route": [{"destination": {"host": host, "port": {"number": 80}}}]}],
            },
        },
    ]


def knative_service(name: str, script: str, *, env: dict[str, str], **spec: object) -> Object:
    """A Knative Service whose container is one of this folder's servers."""
    command = orjson.dumps([sys.executable, str(SERVERS / script)]).decode()
    container = {
        "name": "kserve-container",
        "image": "example.com/own:1",
        "ports": [{"containerPort": 8080}],
        "env": [{"name": key, "value": value} for key, value in env.items()],
    }
    annotations = {
        "embedded.rouse.dev/command": command,
        "autoscaling.knative.dev/min-scale": "1",
        "autoscaling.knative.dev/max-scale": "2",
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "template": {
                "metadata": {"annotations": annotations},
                "spec": {"containers": [container], **spec},
            }
        },
    }


async def ready(client: AsyncClient, name: str) -> None:
    def holds(services: list[Object]) -> bool:
        return any(
            one["type"] == "Ready" and one["status"] == "True"
            for service in services
            if service["metadata"]["name"] == name
            for one in (service.get("status") or {}).get("conditions") or ()
        )

    await until(client.kube, KNATIVE_SERVICES, holds)


async def available(client: AsyncClient, name: str, count: int, generation: int = 1) -> None:
    def holds(deployments: list[Object]) -> bool:
        status = next((d.get("status") or {} for d in deployments if _is(d, name)), {})
        return (
            status.get("observedGeneration", 0) >= generation
            and status.get("readyReplicas") == status.get("updatedReplicas") == count
            and status.get("replicas") == count
        )

    await until(client.kube, DEPLOYMENTS, holds)


async def test_a_deployment_serves_rolls_without_a_failure_and_leaves_nothing(
    engine: Engine, client: AsyncClient, made: list[Object], name: str
) -> None:
    objects = standard(name, "iris", replicas=2)
    for obj in objects:
        made.append(await client.kube.create(obj))
    await available(client, name, 2)
    await until(client.kube, VIRTUAL_SERVICES, lambda found: any(_told(one, name) for one in found))
    url = f"/v1/models/{name}:predict"
    host = {"host": f"{name}.default.localhost"}
    async with httpx.AsyncClient(base_url=engine.gateway, headers=host, timeout=30) as http:
        assert (await http.post(url, json={"instances": ROW})).json() == {"predictions": [0]}
        changed = standard(name, "iris-v2", replicas=2)[0]
        body = {"spec": {"template": changed["spec"]["template"]}}
        await client.kube.patch(DEPLOYMENTS, name, body, namespace="default")
        rolled = False
        while not rolled:
            assert (await http.post(url, json={"instances": ROW})).status_code == 200
            status = (await client.kube.get(DEPLOYMENTS, name, "default"))["status"]
            rolled = status["observedGeneration"] == 2 and status.get("replicas") == 2 == (
                status.get("readyReplicas", 0)
            )
            rolled = rolled and status.get("updatedReplicas") == 2
    for obj in reversed(objects):
        await client.kube.delete(resource_of(obj), name, "default")
    for kind in (PODS, ENDPOINT_SLICES):
        await until(
            client.kube,
            kind,
            lambda found: not [one for one in found if one["metadata"]["name"].startswith(name)],
        )


async def test_a_transformer_wakes_its_predictor_by_its_cluster_local_host(
    engine: Engine, client: AsyncClient, made: list[Object], name: str
) -> None:
    await client.apply(isvc(name))
    made.append(isvc(name))
    await client.wait_ready(name, timeout_s=60)
    front = f"{name}-front"
    predictor = f"{name}-predictor.default.svc.cluster.local"
    transformer = knative_service(
        front, "transformer.py", env={"PREDICTOR": predictor, "MODEL": name}
    )
    made.append(await client.kube.create(transformer))
    await ready(client, front)
    asleep = {"serving.kserve.io/inferenceservice": name}
    await until(
        client.kube,
        PODS,
        lambda pods: not any(asleep.items() <= pod["metadata"]["labels"].items() for pod in pods),
    )
    host = {"host": f"{front}.default.localhost"}
    async with httpx.AsyncClient(base_url=engine.gateway, headers=host, timeout=30) as http:
        for form in (predictor, f"{name}-predictor.default"):
            answer = await http.post("/", json={"instances": ROW}, params={"predictor": form})
            assert answer.status_code == 200, answer.text
            assert answer.json() == {"predictions": [0], "by": form}


async def test_a_replica_with_concurrency_one_never_has_two_requests_and_others_wait(
    engine: Engine, client: AsyncClient, made: list[Object], name: str
) -> None:
    slow = knative_service(name, "slow.py", env={"SECONDS": "0.2"}, containerConcurrency=1)
    annotations = slow["spec"]["template"]["metadata"]["annotations"]
    annotations["autoscaling.knative.dev/min-scale"] = "0"
    made.append(await client.kube.create(slow))
    await ready(client, name)
    await until(
        client.kube,
        PODS,
        lambda pods: not any(pod["metadata"]["name"].startswith(f"{name}-0") for pod in pods),
    )
    host = {"host": f"{name}.default.localhost"}
    answers: list[httpx.Response] = []
    async with httpx.AsyncClient(base_url=engine.gateway, headers=host, timeout=60) as http:

        async def ask(count: int) -> None:
            for _ in range(count):
                answers.append(await http.get("/"))

        async with asyncio.timeout(60), asyncio.TaskGroup() as group:
            for _ in range(8):
                group.create_task(ask(5))
    assert {answer.status_code for answer in answers} == {200}
    assert {answer.json()["most"] for answer in answers} == {1}
    assert len({answer.json()["pid"] for answer in answers}) == 2


def _is(obj: Object, name: str) -> bool:
    return bool(obj["metadata"]["name"] == name)


def _told(virtual_service: Object, name: str) -> bool:
    return _is(virtual_service, name) and bool(virtual_service.get("status"))
