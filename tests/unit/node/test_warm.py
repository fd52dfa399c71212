"""The warm protocol, against a real process that speaks it, and against the real predictor."""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from pathlib import Path

import httpx
import pytest

from rouse.embedded.node import NodePaths, WarmError, WarmPool
from rouse.embedded.node.images import ImageTable
from rouse.embedded.node.warm import SpawnRequest, WarmParent
from tests.unit.node.harness import SERVER, MakePod, Watched, alive, answer, gone

COMMAND = tuple(word.replace("{python}", sys.executable) for word in SERVER)


def parent_of(watched: Watched, *flags: str) -> WarmParent:
    parent = watched.warm.parent((*COMMAND, *flags))
    assert parent is not None
    return parent


async def test_one_parent_forks_all_replicas(watched: Watched, make_pod: MakePod) -> None:
    for name in ("a", "b", "c"):
        watched.node.launch(make_pod(name=name))
    pids = {(await watched.ready(name)).containers[0].pid for name in ("a", "b", "c")}
    assert len(pids) == 3
    parent = parent_of(watched)
    for pid in pids:
        assert f"\nPPid:\t{parent.process.pid}\n" in Path(f"/proc/{pid}/status").read_text()
        assert os.getpgid(pid) == pid


async def test_warm_up_starts_the_parent_before_any_pod(
    watched: Watched, make_pod: MakePod
) -> None:
    watched.node.warm_up(make_pod())
    await parent_of(watched).ready(10)
    began = time.perf_counter()
    watched.node.launch(make_pod())
    await watched.ready()
    assert time.perf_counter() - began < 0.5


async def test_a_killed_parent_takes_its_replicas_and_all_come_back(
    watched: Watched, make_pod: MakePod
) -> None:
    watched.node.launch(make_pod())
    first = (await watched.ready()).containers[0].pid
    parent = parent_of(watched).process
    os.kill(parent.pid, signal.SIGKILL)
    state = await watched.until(lambda s: s.ready and s.restarts == 1)
    assert not alive(first)
    last = state.containers[0].last
    assert last is not None
    assert last.signal == signal.SIGKILL
    assert (await answer(state)).endswith(" iris")
    async with asyncio.timeout(10):
        while (again := watched.warm.parent(COMMAND)) is None or again.process is parent:
            await asyncio.sleep(0.01)
    await again.ready(10)


async def test_a_parent_killed_in_the_middle_of_a_spawn(
    watched: Watched, make_pod: MakePod
) -> None:
    watched.node.warm_up(make_pod())
    parent = parent_of(watched)
    await parent.ready(10)
    parent.process.signal(signal.SIGSTOP)
    watched.node.launch(make_pod())
    await asyncio.sleep(0.05)
    parent.process.kill()
    state = await watched.ready()
    assert state.restarts == 0  # the same attempt went on without a warm parent
    assert (await answer(state)).endswith(" iris")


@pytest.mark.parametrize("image", ["test/dying", "test/deaf"])
async def test_without_a_working_parent_the_command_itself_is_started(
    watched: Watched, make_pod: MakePod, image: str
) -> None:
    watched.node.launch(make_pod(image))
    state = await watched.ready()
    assert (await answer(state)).endswith(" iris")
    status = Path(f"/proc/{state.containers[0].pid}/status").read_text()
    assert f"\nPPid:\t{os.getpid()}\n" in status


async def test_garbage_from_a_parent_is_logged_and_survived(
    watched: Watched, make_pod: MakePod
) -> None:
    watched.node.launch(make_pod("test/garbage"))
    await watched.ready()
    assert "not a message of the warm protocol" in " ".join(
        parent_of(watched, "--garbage").log_tail
    )


ROUTER_ARGS = (
    "--graph-json",
    '{"nodes": {"root": {"routerType": "Sequence", "steps": [{"serviceUrl": "http://h/"}]}}}',
)


def router_pod(make_pod: MakePod, **container: object) -> dict[str, object]:
    return make_pod("ghcr.io/rouse/router:v0.1.0", args=list(ROUTER_ARGS), **container)


async def test_a_predictors_parent_forks_the_router_of_a_graph(
    watched: Watched, make_pod: MakePod
) -> None:
    pytest.importorskip("sklearn")
    command = ImageTable().command_for("ghcr.io/rouse/sklearnserver", {}, "c", serving=True).argv
    watched.node.warm_up_framework("sklearn")
    parent = watched.warm.parent(command)
    assert parent is not None
    assert not parent.lends, "before it is ready"
    await parent.ready(50)
    watched.node.launch(router_pod(make_pod))
    pid = (await watched.ready()).containers[0].pid
    assert f"\nPPid:\t{parent.process.pid}\n" in Path(f"/proc/{pid}/status").read_text()
    parent.lose()
    assert not parent.lends


async def test_a_parent_that_does_not_lend_itself_is_not_asked(
    watched: Watched, make_pod: MakePod
) -> None:
    watched.node.warm_up(make_pod())
    parent = parent_of(watched)
    await parent.ready(10)
    watched.node.launch(router_pod(make_pod))
    state = await watched.ready()
    assert (
        f"\nPPid:\t{os.getpid()}\n" in Path(f"/proc/{state.containers[0].pid}/status").read_text()
    )
    assert parent.forks == 0


async def test_what_no_datagram_holds_is_not_lent(paths: NodePaths) -> None:
    pool = WarmPool(paths)
    request = SpawnRequest("x", ("y" * 70_000,), {}, "/", (1, 2, 0), "predictors.graph")
    assert await pool.lend(request) is None
    await pool.stop()


async def test_a_cancelled_spawn_leaves_no_replica(paths: NodePaths) -> None:
    pool = WarmPool(paths)
    pool.ensure(COMMAND)
    parent = pool.parent(COMMAND)
    assert parent is not None
    await parent.ready(10)
    parent.process.signal(signal.SIGSTOP)
    request = SpawnRequest("x", ("--port=1",), dict(os.environ), "/", (1, 2, 0))
    spawning = asyncio.create_task(pool.spawn(COMMAND, request))
    await asyncio.sleep(0.05)
    spawning.cancel()
    await asyncio.gather(spawning, return_exceptions=True)
    parent.process.signal(signal.SIGCONT)
    async with asyncio.timeout(5):
        while not parent.idle or parent.forks == 0:
            await asyncio.sleep(0.01)
    await pool.stop()


async def test_too_large_a_request_is_refused(paths: NodePaths) -> None:
    pool = WarmPool(paths)
    request = SpawnRequest("x", ("y" * 70_000,), {}, "/", (1, 2, 0))
    with pytest.raises(WarmError, match="bytes of arguments and environment"):
        await pool.spawn(COMMAND, request)
    await pool.stop()


async def test_stop_ends_parents_and_replicas(watched: Watched, make_pod: MakePod) -> None:
    watched.node.launch(make_pod())
    replica = (await watched.ready()).containers[0].pid
    parent = parent_of(watched).process.pid
    await watched.warm.stop()
    assert not alive(parent)
    assert not alive(replica)
    await gone(replica)


@pytest.fixture
def iris(paths: NodePaths) -> Path:
    joblib = pytest.importorskip("joblib")
    linear_model = pytest.importorskip("sklearn.linear_model")
    model = linear_model.LogisticRegression().fit([[0.0], [1.0]], [0, 1])
    folder = paths.claim("default", "models") / "iris"
    folder.mkdir(parents=True)
    joblib.dump(model, folder / "model.joblib")
    return folder


async def test_the_real_predictor(
    watched: Watched, make_pod: MakePod, iris: Path, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    assert iris.exists()
    command = ImageTable().command_for("ghcr.io/rouse/sklearnserver", {}, "c", serving=True).argv
    watched.node.warm_up_framework("sklearn")
    parent = watched.warm.parent(command)
    assert parent is not None
    await parent.ready(50)
    assert parent.framework == "sklearn"
    pod = make_pod(
        "ghcr.io/rouse/sklearnserver:v0.1.0",
        args=["--model_name=iris", "--model_dir=/mnt/models", "--http_port=8080"],
        volumeMounts=[{"name": "m", "mountPath": "/mnt/models", "subPath": "iris"}],
        readinessProbe={"httpGet": {"path": "/v2/health/ready", "port": 8080}},
    )
    pod["spec"]["volumes"] = [{"name": "m", "persistentVolumeClaim": {"claimName": "models"}}]
    began = time.perf_counter()
    watched.node.launch(pod)
    state = await watched.ready()
    print(f"\nlaunch to ready {(time.perf_counter() - began) * 1e3:.1f} ms", dict(state.timings))
    assert "load" in state.timings
    async with httpx.AsyncClient() as client:
        url = f"http://{state.host}:{state.port}/v1/models/iris:predict"
        response = await client.post(url, json={"instances": [[0.0], [1.0]]})
    assert response.json() == {"predictions": [0, 1]}
    await watched.node.stop_pod("default", "iris-1", 5)
