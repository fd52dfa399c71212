"""A service wakes: its standby pod is told, serves, and only then gets the names of a replica."""

from __future__ import annotations

import asyncio
import os
import socket
import subprocess
import sys
from collections.abc import AsyncIterator, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import Any

import httpx
import joblib
import pytest
from sklearn.linear_model import LinearRegression

from rouse.kube.objects import Object
from rouse.kube.resources import DEPLOYMENTS, EVENTS, PODS
from tests.unit.standby.conftest import World

ROOT = Path(__file__).parents[3]


def free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as found:
        return int(found.getsockname()[1])


def container(port: int, model: str) -> dict[str, Any]:
    """What differs from the compiled container: a port and a model of this machine."""
    return {
        "args": ["--model_name=iris", "--model_dir=/mnt/models", f"--http_port={port}"],
        "env": [{"name": "STORAGE_URI", "value": model}],
        "ports": [{"containerPort": port, "protocol": "TCP"}],
        "readinessProbe": {"httpGet": {"path": "/v2/health/ready", "port": port}},
    }


@pytest.fixture
def model(tmp_path: Path) -> str:
    folder = tmp_path / "line"
    folder.mkdir()
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), folder / "model.joblib")
    return folder.as_uri()


@contextmanager
def running(pod: Object, state: Path, port: int) -> Iterator[str]:
    """The pod's container as a process: its arguments and variables, and a socket at its port."""
    (spec,) = pod["spec"]["containers"]
    listener = socket.create_server(("127.0.0.1", port))
    env = {each["name"]: each.get("value", pod["metadata"]["uid"]) for each in spec["env"]}
    env |= {"ROUSE_LISTEN_FD": str(listener.fileno()), "ROUSE_STANDBY_STATE": str(state)}
    with listener:
        process = subprocess.Popen(
            [sys.executable, "-m", "predictors.sklearn", *spec["args"]],
            cwd=ROOT,
            env={**os.environ, **env},
            pass_fds=[listener.fileno()],
            stderr=subprocess.DEVNULL,
        )
    try:
        yield f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
async def stack() -> AsyncIterator[ExitStack]:
    with ExitStack() as entered:
        yield entered


async def replica(world: World, name: str) -> Object:
    """Wait until a pod carries the labels of a replica."""

    async def look() -> Object:
        return await world.user.get(PODS, name, "default")

    found: Object = await world.until(
        look, lambda each: each["metadata"]["labels"].get("app") == "isvc.iris-predictor"
    )
    return found


async def test_it_serves_and_is_adopted(
    world: World, stack: ExitStack, model: str, tmp_path: Path
) -> None:
    port = free_port()
    await world.settle(count=1)
    await world.service("iris", **container(port, model))
    pool = await world.pool()
    pod = await world.pod(pool)
    url = stack.enter_context(running(pod, tmp_path, port))
    async with httpx.AsyncClient(base_url=url, timeout=30) as client:
        waiting = (await client.get("/v2/health/ready")).json()
        assert waiting == {"ready": True, "standby": True}
        await world.scale("iris", 1)
        labels = (await replica(world, "standby-1"))["metadata"]["labels"]
        # At this moment the model answers; no probe and no time lies between.
        asked = {"instances": [[2.0]]}
        answer = await client.post("/v1/models/iris:predict", json=asked)
        assert answer.json() == {"predictions": [pytest.approx(5.0)]}
    assert labels == {
        "app": "isvc.iris-predictor",
        "component": "predictor",
        "pod-template-hash": "hash-iris",
        "serving.kserve.io/inferenceservice": "iris",
    }
    assert await world.event("StandbyTaken") == "Standby pod standby-1 serves for iris-predictor"
    assert world.handed == ["taken"]
    # Nobody sleeps any more: no standby pod is kept.
    await world.answers("iris")

    async def pools() -> list[Object]:
        return (await world.user.list(DEPLOYMENTS, labels="rouse.dev/standby")).items

    await world.until(pools, lambda found: not found)
    assert (await replica(world, "standby-1"))["metadata"].get("deletionTimestamp") is None


async def test_one_that_cannot_be_reached_is_dropped(world: World, model: str) -> None:
    await world.settle(count=1)
    await world.service("iris", **container(free_port(), model))
    await world.pod(await world.pool())
    await world.scale("iris", 1)
    assert "cannot be reached" in await world.event("StandbyFailed")
    await world.gone("standby-1")


async def test_one_that_refuses_is_dropped(world: World, model: str) -> None:
    async def refuse(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        body = b"another pod is meant"
        writer.write(b"HTTP/1.1 403 Forbidden\r\ncontent-length: %d\r\n\r\n%s" % (len(body), body))
        await writer.drain()
        writer.close()

    async with await asyncio.start_server(refuse, "127.0.0.1", 0) as server:
        port = server.sockets[0].getsockname()[1]
        await world.settle(count=1)
        await world.service("iris", **container(port, model))
        await world.pod(await world.pool())
        await world.scale("iris", 1)
        assert "it answered 403: another pod" in await world.event("StandbyFailed")
        assert world.handed == ["failed"]
    await world.gone("standby-1")


async def test_one_whose_model_cannot_be_loaded_gives_way_to_the_pod_of_its_own(
    world: World, stack: ExitStack, tmp_path: Path
) -> None:
    port = free_port()
    await world.settle(count=1)
    await world.service("iris", **container(port, "file:///nowhere"))
    pod = await world.pod(await world.pool())
    url = stack.enter_context(running(pod, tmp_path, port))
    await httpx.AsyncClient(timeout=30).get(url)
    await world.scale("iris", 1)

    async def claimed() -> Object:
        return await world.user.get(PODS, "standby-1", "default")

    found = await world.until(
        claimed, lambda each: "rouse.dev/standby-for" in each["metadata"]["annotations"]
    )
    assert "app" not in found["metadata"]["labels"]
    await world.answers("iris")
    assert "somebody else serves by now" in await world.event("StandbyFailed")
    await world.gone("standby-1")


class Told:
    """In place of a server: takes its model as soon as it may."""

    def __init__(self) -> None:
        self.may = asyncio.Event()
        self.pods: list[str] = []

    async def __call__(self, pod: Object, *_: object) -> None:
        self.pods.append(pod["metadata"]["name"])
        await self.may.wait()


@pytest.fixture
def told(monkeypatch: pytest.MonkeyPatch) -> Told:
    made = Told()
    monkeypatch.setattr("rouse.controllers.standby.handover.tell", made)
    return made


async def test_a_claim_that_fails_is_tried_again(world: World, model: str, told: Told) -> None:
    await world.settle(count=1)
    await world.service("iris", **container(8080, model))
    await world.pod(await world.pool())
    told.may.set()
    world.faults.fail("PATCH pods/standby-1", 500, "InternalError")
    await world.scale("iris", 1)
    await replica(world, "standby-1")
    assert told.pods == ["standby-1"]


async def test_one_whose_names_cannot_be_written_is_dropped(
    world: World, model: str, told: Told
) -> None:
    await world.settle(count=1)
    await world.service("iris", **container(8080, model))
    await world.pod(await world.pool())
    await world.scale("iris", 1)
    await world.until(lambda: asyncio.sleep(0, told.pods))
    world.faults.fail("PATCH pods/standby-1", 403, "Forbidden")
    told.may.set()
    await world.gone("standby-1")
    # Told once for this scaling: the pod of the service's own is on its way.
    assert told.pods == ["standby-1"]


async def test_one_on_its_way_is_counted_where_it_comes_from(
    world: World, model: str, told: Told
) -> None:
    """Else its ReplicaSet would be told to have one less, and might delete this one."""
    await world.settle(count=2)
    for name in ("iris", "wine"):
        await world.service(name, **container(8080, model))
    pool = await world.until(world.pool, lambda each: each["spec"]["replicas"] == 2)
    await world.pod(pool)
    await world.scale("iris", 1)
    await world.until(lambda: asyncio.sleep(0, told.pods))
    await world.settle(count=3)  # brings a reconcile, which changes nothing
    assert (await world.pool())["spec"]["replicas"] == 2
    told.may.set()
    await replica(world, "standby-1")
    await world.until(world.pool, lambda each: each["spec"]["replicas"] == 1)


async def test_two_that_wake_never_get_the_same_pod(world: World, model: str, told: Told) -> None:
    await world.settle(count=2)
    for name in ("iris", "wine"):
        await world.service(name, **container(8080, model))
    pool = await world.until(world.pool, lambda each: each["spec"]["replicas"] == 2)
    for name in ("standby-1", "standby-2"):
        await world.pod(pool, name)
    told.may.set()
    await world.scale("iris", 1)
    await world.scale("wine", 1)

    async def apps() -> set[str]:
        pods = await world.listed(PODS)
        return {str(each["metadata"]["labels"].get("app")) for each in pods}

    await world.until(apps, lambda found: found == {"isvc.iris-predictor", "isvc.wine-predictor"})
    assert sorted(told.pods) == ["standby-1", "standby-2"]


@pytest.mark.parametrize("change", ["not-ready", "claimed", "another-key"])
async def test_pods_that_are_not_told(world: World, model: str, change: str) -> None:
    await world.settle(count=1)
    await world.service("iris", **container(free_port(), model))
    pod = await world.pod(await world.pool())
    if change == "not-ready":
        status = {"conditions": [{"type": "Ready", "status": "False"}], "podIP": "127.0.0.1"}
        await world.user.replace({**pod, "status": status}, subresource="status")
    else:
        name = "rouse.dev/standby-for" if change == "claimed" else "rouse.dev/standby-key"
        body = {"metadata": {"annotations": {name: "other"}}}
        await world.user.patch(PODS, "standby-1", body, namespace="default")
    await world.scale("iris", 1)
    await world.until(lambda: world.listed(DEPLOYMENTS), lambda found: len(found) == 1)
    assert not [each for each in await world.listed(EVENTS) if "Standby" in each["reason"]]
