"""Inference graphs on the real engine: the four routers over real models, and a graph's life."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest

from perf.disagree import Disagreement
from perf.harness import Engine
from rouse.kube.objects import Object, labels_of
from rouse.kube.resources import (
    DEPLOYMENTS,
    INFERENCE_GRAPHS,
    KNATIVE_SERVICES,
    PODS,
    SERVICES,
    VIRTUAL_SERVICES,
)
from rouse.sdk import AsyncClient
from tests.e2e.support import ROW, isvc, until

LABEL = "serving.kserve.io/inferencegraph"
SETOSA = {"predictions": [0]}


def graph(name: str, nodes: Object, *, annotations: Any = None, **spec: Any) -> Object:
    """An InferenceGraph as KServe's users write it."""
    metadata: Object = {"name": name, "namespace": "default"}
    if annotations:
        metadata["annotations"] = annotations
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": metadata,
        "spec": {"nodes": nodes, **spec},
    }


def root(router: str, *steps: Object) -> Object:
    return {"root": {"routerType": router, "steps": list(steps)}}


@pytest.fixture
async def models(
    client: AsyncClient, deploy: Callable[[Object], Object], name: str
) -> tuple[str, str]:
    """Two services, one for each of the example's models."""
    one, two = f"{name}-one", f"{name}-two"
    await client.apply([deploy(isvc(one)), deploy(isvc(two, uri="pvc://models/iris-v2"))])
    for each in (one, two):
        await client.wait_ready(each, timeout_s=60)
    return one, two


@pytest.fixture
async def http(engine: Engine) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=engine.gateway, timeout=60) as connected:
        yield connected


class Caller:
    """Makes graphs and asks them at the gateway."""

    def __init__(
        self, client: AsyncClient, http: httpx.AsyncClient, deploy: Callable[[Object], Object]
    ) -> None:
        self.client = client
        self._http = http
        self._deploy = deploy

    async def make(self, wanted: Object) -> Object:
        """Apply a graph and wait until its newest spec is ready."""
        await self.client.apply(self._deploy(wanted))
        name = wanted["metadata"]["name"]
        return await self.client.wait_ready(name, timeout_s=60, resource=INFERENCE_GRAPHS)

    async def ask(self, ready: Object, body: Object | None = None) -> Any:
        """Ask a graph by its status.url; return its answer's JSON."""
        host = httpx.URL(ready["status"]["url"]).host
        answer = await self._http.post("/", headers={"Host": host}, json=body or {"instances": ROW})
        assert answer.status_code == 200, answer.text
        return answer.json()


@pytest.fixture
def caller(
    client: AsyncClient, http: httpx.AsyncClient, deploy: Callable[[Object], Object]
) -> Caller:
    return Caller(client, http, deploy)


async def test_sequence(caller: Caller, name: str, models: tuple[str, str]) -> None:
    one, two = models
    # The first model's answer has no instances: what the second gets is the request.
    steps = [{"serviceName": one}, {"serviceName": two, "data": "$request"}]
    ready = await caller.make(graph(name, root("Sequence", *steps)))
    assert await caller.ask(ready) == SETOSA


async def test_switch(caller: Caller, name: str, models: tuple[str, str]) -> None:
    one, two = models
    nodes = {
        **root(
            "Switch",
            {"nodeName": "both", "condition": "[@this].#(who==both)"},
            {"serviceName": one, "condition": "instances"},
        ),
        "both": {
            "routerType": "Ensemble",
            "steps": [{"name": "a", "serviceName": one}, {"name": "b", "serviceName": two}],
        },
    }
    ready = await caller.make(graph(name, nodes))
    assert await caller.ask(ready) == SETOSA
    both = await caller.ask(ready, {"who": "both", "instances": ROW})
    assert set(both) == {"a", "b"}


async def test_ensemble(
    caller: Caller, name: str, models: tuple[str, str], told_apart: Disagreement
) -> None:
    one, two = models
    steps = [{"name": "a", "serviceName": one}, {"name": "b", "serviceName": two}]
    ready = await caller.make(graph(name, root("Ensemble", *steps)))
    answer = await caller.ask(ready, {"instances": [told_apart.row]})
    assert answer["a"] != answer["b"], "each is asked its own model"


async def test_splitter_and_update(
    caller: Caller, name: str, models: tuple[str, str], told_apart: Disagreement
) -> None:
    one, two = models

    def split(share: int) -> Object:
        steps = [
            {"serviceName": one, "weight": share},
            {"serviceName": two, "weight": 100 - share},
        ]
        return graph(name, root("Splitter", *steps))

    body = {"instances": [told_apart.row]}
    ready = await caller.make(split(50))
    seen = {str(await caller.ask(ready, body)) for _ in range(40)}
    assert len(seen) == 2, "both models answer"
    ready = await caller.make(split(100))
    await until(
        caller.client.kube,
        VIRTUAL_SERVICES,
        lambda all_: any(_leads_to(each, name, f"{name}-00002") for each in all_),
    )
    assert len({str(await caller.ask(ready, body)) for _ in range(20)}) == 1


async def test_it_sleeps_and_wakes_with_its_models(
    caller: Caller, name: str, models: tuple[str, str]
) -> None:
    ready = await caller.make(
        graph(name, root("Sequence", {"serviceName": models[0]}), minReplicas=0)
    )
    assert await caller.ask(ready) == SETOSA
    mine = {name, *models}
    await until(caller.client.kube, PODS, lambda pods: not any(_of(pod, mine) for pod in pods))
    assert await caller.ask(ready) == SETOSA


async def test_the_mode_standard(caller: Caller, name: str, models: tuple[str, str]) -> None:
    wanted = graph(
        name,
        root("Sequence", {"serviceName": models[0]}),
        annotations={
            "serving.kserve.io/autoscalerClass": "none",
            "serving.kserve.io/deploymentMode": "Standard",
        },
    )
    ready = await caller.make(wanted)
    assert ready["status"]["deploymentMode"] == "Standard"
    assert await caller.ask(ready) == SETOSA


@pytest.mark.parametrize("mode", ["Knative", "Standard"])
async def test_keys_open_a_graph_and_no_other_host_leads_in(
    caller: Caller,
    engine: Engine,
    http: httpx.AsyncClient,
    name: str,
    models: tuple[str, str],
    mode: str,
) -> None:
    annotations = {"rouse.dev/auth": "api-key", "serving.kserve.io/deploymentMode": mode}
    await caller.make(
        graph(name, root("Sequence", {"serviceName": models[0]}), annotations=annotations)
    )

    async def ask(host: str, **headers: str) -> int:
        answer = await http.post("/", headers={"Host": host, **headers}, json={"instances": ROW})
        return answer.status_code

    made = await asyncio.to_thread(engine.rouse, "apikey", "create", name)
    assert "does not ask for keys" not in made.stderr
    outside = f"{name}.default.localhost"
    assert await ask(outside) == 401
    await _opened(lambda: ask(outside, **{"x-api-key": made.stdout.strip()}))
    for inside in (f"{name}.default.svc.cluster.local", f"{name}-00001.default.svc.cluster.local"):
        assert await ask(inside) == 404


async def test_what_is_deleted_leaves_nothing(
    caller: Caller, name: str, models: tuple[str, str]
) -> None:
    wanted = graph(name, root("Sequence", {"serviceName": models[0]}))
    ready = await caller.make(wanted)
    assert await caller.ask(ready) == SETOSA
    await caller.client.delete(wanted)
    for resource in (KNATIVE_SERVICES, VIRTUAL_SERVICES, SERVICES, DEPLOYMENTS, PODS):
        await until(
            caller.client.kube,
            resource,
            lambda all_: not any(labels_of(each).get(LABEL) == name for each in all_),
        )


async def test_a_graph_waits_for_a_service_that_is_made_later(
    caller: Caller, client: AsyncClient, deploy: Callable[[Object], Object], name: str
) -> None:
    later = f"{name}-later"
    await client.apply(deploy(graph(name, root("Sequence", {"serviceName": later}))))
    await until(
        client.kube,
        INFERENCE_GRAPHS,
        lambda all_: any(_waits_for(each, name, later) for each in all_),
    )
    await client.apply(deploy(isvc(later)))
    ready = await client.wait_ready(name, timeout_s=60, resource=INFERENCE_GRAPHS)
    assert await caller.ask(ready) == SETOSA


async def test_the_name_of_a_service_is_refused_and_the_service_serves_on(
    client: AsyncClient, deploy: Callable[[Object], Object], name: str
) -> None:
    await client.apply(deploy(isvc(name)))
    await client.wait_ready(name, timeout_s=60)
    await client.apply(deploy(graph(name, root("Sequence", {"serviceName": name}))))
    await until(
        client.kube,
        INFERENCE_GRAPHS,
        lambda all_: any(_reason(each, name, "RouterReady") == "NameTaken" for each in all_),
    )
    assert await client.predict(name, ROW) == SETOSA
    await client.delete(graph(name, {}))
    await client.wait_ready(name, timeout_s=60)
    assert await client.predict(name, ROW) == SETOSA


async def _opened(ask: Callable[[], Awaitable[int]]) -> None:
    """Wait until a new key opens: within a second, as is promised."""
    async with asyncio.timeout(10):
        while (code := await ask()) != 200:
            assert code == 403
            await asyncio.sleep(0.1)


def _leads_to(routes: Object, name: str, revision: str) -> bool:
    return routes["metadata"]["name"] == name and revision in str(routes["spec"]["http"])


def _of(pod: Object, names: set[str]) -> bool:
    labels = labels_of(pod)
    return bool({labels.get(LABEL), labels.get("serving.kserve.io/inferenceservice")} & names)


def _reason(obj: Object, name: str, type_: str) -> str:
    if obj["metadata"]["name"] != name:
        return ""
    conditions = (obj.get("status") or {}).get("conditions") or ()
    return next((str(one.get("reason")) for one in conditions if one["type"] == type_), "")


def _waits_for(obj: Object, name: str, service: str) -> bool:
    return _reason(obj, name, "StepsReady") == "InferenceServiceNotFound" and service in str(obj)
