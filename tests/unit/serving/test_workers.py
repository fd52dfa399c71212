"""A predictor of several processes."""

from __future__ import annotations

import asyncio
import os
import shutil
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any

import grpc
import httpx
import joblib
import pytest
from sklearn.linear_model import LinearRegression

from predictors.serving.grpc.messages import RepositoryIndexResponse, ServerReadyResponse
from predictors.serving.metrics import ServerMetrics
from predictors.serving.metrics.shared import SharedTexts, added

ROOT = Path(__file__).parents[3]
V1 = "/v1/models/line:predict"
_PATIENCE = 90  # for what takes two seconds on a machine that does nothing else


@contextmanager
def _server(*flags: str, log: Path) -> Iterator[tuple[subprocess.Popen[bytes], str]]:
    listener = socket.create_server(("127.0.0.1", 0), backlog=1024)
    port = listener.getsockname()[1]
    with listener, log.open("wb") as output:
        process = subprocess.Popen(
            [sys.executable, "-m", "predictors.sklearn", "--model_name=line", *flags],
            cwd=ROOT,
            env={**os.environ, "ROUSE_LISTEN_FD": str(listener.fileno())},
            pass_fds=[listener.fileno()],
            stdout=output,
            stderr=output,
        )
    try:
        yield process, f"http://127.0.0.1:{port}"
    finally:
        process.kill()
        process.wait()


@pytest.fixture
def line(tmp_path: Path) -> Path:
    folder = tmp_path / "line"
    folder.mkdir()
    joblib.dump(LinearRegression().fit([[0.0], [1.0]], [1.0, 3.0]), folder / "model.joblib")
    return folder


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


async def _ask(url: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        return await client.post(V1, json={"instances": [[2.0]]})


async def _logged(log: Path, text: str) -> None:
    async with asyncio.timeout(_PATIENCE):
        while text not in log.read_text():
            await asyncio.sleep(0.02)


async def test_workers_answer_are_replaced_and_go_with_their_parent(
    line: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    with _server("--workers=2", f"--model_dir={line}", log=log) as (process, url):
        await _logged(log, "2 workers are ready")
        assert (await _ask(url)).json() == {"predictions": [pytest.approx(5.0)]}
        before = _children(process.pid)
        assert len(before) == 2
        os.kill(before[0], signal.SIGKILL)
        await _logged(log, "another starts in")
        async with asyncio.timeout(20):
            while len(_children(process.pid)) < 2:
                await asyncio.sleep(0.02)
        assert (await _ask(url)).status_code == 200
        after = _children(process.pid)
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0
        assert not any(Path(f"/proc/{pid}").exists() for pid in after)


async def test_workers_die_with_a_parent_that_is_killed(line: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with _server("--workers=2", f"--model_dir={line}", log=log) as (process, _):
        await _logged(log, "2 workers are ready")
        workers = _children(process.pid)
        process.kill()
        async with asyncio.timeout(10):
            while any(_runs(pid) for pid in workers):
                await asyncio.sleep(0.02)


@pytest.mark.timeout(300)
async def test_a_worker_that_stands_still_is_replaced_and_its_counts_stay(
    line: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    # Long enough for a busy machine not to keep a worker that moves from its next sign of life.
    flags = ("--workers=2", "--hang_seconds=6", f"--model_dir={line}")
    with _server(*flags, log=log) as (process, url):
        await _logged(log, "2 workers are ready")
        for _ in range(8):
            assert (await _ask(url)).status_code == 200
        # Who tells eight knows the other's part from where that one has left it, for good; its
        # own part it may have yet to leave.
        telling = await _answered_count(url, 8.0, _children(process.pid))
        (stuck,) = {*_children(process.pid)} - {telling}
        os.kill(stuck, signal.SIGSTOP)
        await _logged(log, f"(process {stuck}) stood still for 6 s and is killed")
        async with asyncio.timeout(_PATIENCE):
            while stuck in (now := _children(process.pid)) or len(now) < 2:
                await asyncio.sleep(0.02)
        for _ in range(4):
            assert (await _ask(url)).status_code == 200
        await _answered_count(url, 12.0, _children(process.pid))


async def _answered_count(url: str, count: float, workers: list[int]) -> int:
    """Wait until a scrape tells so many answers; the worker that has told them."""
    async with asyncio.timeout(_PATIENCE), httpx.AsyncClient(base_url=url, timeout=60) as client:
        told = f'model_infer_request_success_total{{model="line",version="1"}} {count:g}\n'
        while told not in (answer := await client.get("/metrics")).text:
            await asyncio.sleep(0.05)
        _, port = answer.extensions["network_stream"].get_extra_info("client_addr")
        mine = _socket_to(port)
        (telling,) = (pid for pid in workers if _has_open(pid, mine))
        return telling


def _socket_to(port: int) -> str:
    """The server's end of the connection that comes from `port`, as in a process's files."""
    for row in Path("/proc/net/tcp").read_text().splitlines()[1:]:
        columns = row.split()
        if columns[2] == f"0100007F:{port:04X}":
            return f"socket:[{columns[9]}]"
    raise AssertionError(f"no connection from port {port}")


def _has_open(pid: int, name: str) -> bool:
    for file in Path(f"/proc/{pid}/fd").iterdir():
        with suppress(FileNotFoundError):  # closed since
            if os.readlink(file) == name:
                return True
    return False


@pytest.mark.timeout(300)
@pytest.mark.parametrize("workers", [1, 3])
async def test_the_only_model_is_unloaded_loaded_and_loaded_again(
    line: Path, tmp_path: Path, workers: int
) -> None:
    log = tmp_path / "log"
    with _server(f"--workers={workers}", f"--model_dir={line}", log=log) as (process, url):
        await _logged(log, f"{workers} workers are ready" if workers > 1 else "line is ready")
        assert await _change(url, "unload") == (200, {"name": "line", "unload": True})
        assert await _states(url) == {("line", "UNAVAILABLE", "unloaded")}
        assert {answer.status_code for answer in await _asked(url)} == {404}
        assert (await _change(url, "unload"))[0] == 404
        for path, status in (("/v2/health/ready", 200), ("/v2/models/line/ready", 404)):
            assert (await _get(url, path)).status_code == status
        if workers > 1:  # one that starts now starts without the model
            os.kill(_children(process.pid)[0], signal.SIGKILL)
            await _logged(log, "another starts in")
            async with asyncio.timeout(_PATIENCE):
                while len(_children(process.pid)) < workers:
                    await asyncio.sleep(0.02)
            assert {answer.status_code for answer in await _asked(url)} == {404}
        assert await _change(url, "load") == (200, {"name": "line", "load": True})
        assert await _states(url) == {("line", "READY", "")}
        assert _predictions(await _asked(url)) == {5.0}

        file = line / "model.joblib"
        joblib.dump(LinearRegression().fit([[0.0], [1.0]], [0.0, 7.0]), file)
        loading = asyncio.create_task(_change(url, "load"))
        meanwhile = []
        while not loading.done():
            meanwhile += await _asked(url, times=2)
        assert (await loading)[0] == 200
        assert _predictions(meanwhile) <= {5.0, 14.0}  # no request fails
        assert _predictions(await _asked(url)) == {14.0}

        file.write_bytes(b"no model")
        status, told = await _change(url, "load")
        assert status == 400
        assert "model.joblib cannot be loaded" in told["error"]
        assert _predictions(await _asked(url)) == {14.0}
        assert (await _change(url, "load", "other"))[0] == 404
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0


@pytest.mark.timeout(300)
async def test_models_of_a_repository_are_unloaded_and_loaded_by_all_workers(
    line: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    shelf = tmp_path / "shelf"
    for name in ("line", "other"):
        shutil.copytree(line, shelf / name)
    with _server("--workers=3", f"--model_repository={shelf}", log=log) as (process, url):
        await _logged(log, "3 workers are ready")
        assert (await _change(url, "unload"))[0] == 200
        assert (await _change(url, "unload"))[0] == 404
        left = {("line", "UNAVAILABLE", "unloaded"), ("other", "READY", "")}
        assert await _states(url) == left
        assert {answer.status_code for answer in await _asked(url)} == {404}
        os.kill(_children(process.pid)[0], signal.SIGKILL)  # its successor starts without it
        await _logged(log, "another starts in")
        async with asyncio.timeout(_PATIENCE):
            while len(_children(process.pid)) < 3:
                await asyncio.sleep(0.02)
        assert {answer.status_code for answer in await _asked(url)} == {404}

        shutil.copytree(line, shelf / "new")
        assert (await _change(url, "load", "new"))[0] == 200
        assert (await _change(url, "load"))[0] == 200
        assert await _states(url) == {(name, "READY", "") for name in ("line", "new", "other")}
        assert _predictions(await _asked(url)) == {5.0}
        assert (await _change(url, "load", "missing"))[0] == 404
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0


@pytest.mark.timeout(300)
async def test_the_only_model_is_unloaded_and_loaded_over_grpc(line: Path, tmp_path: Path) -> None:
    log = tmp_path / "log"
    with socket.create_server(("127.0.0.1", 0)) as free:
        port = free.getsockname()[1]
    flags = ("--workers=2", f"--grpc_port={port}", f"--model_dir={line}")
    with _server(*flags, log=log) as (_, url):
        await _logged(log, "2 workers are ready")
        async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:

            async def call(method: str, data: bytes = b"") -> bytes:
                path = f"/inference.GRPCInferenceService/{method}"
                asking: grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
                asking = channel.unary_unary(path)
                return await asking(data, timeout=60, wait_for_ready=True)

            await call("RepositoryModelUnload", b"\x12\x04line")
            assert {answer.status_code for answer in await _asked(url)} == {404}
            index = RepositoryIndexResponse.FromString(await call("RepositoryIndex"))
            assert [(e.state, e.reason) for e in index.models] == [("UNAVAILABLE", "unloaded")]
            assert ServerReadyResponse.FromString(await call("ServerReady")).ready
            await call("RepositoryModelLoad", b"\x12\x04line")
            assert _predictions(await _asked(url)) == {5.0}


async def _asked(url: str, times: int = 24) -> list[httpx.Response]:
    """The answers to requests of a connection each, so that all workers are asked."""
    return [await _ask(url) for _ in range(times)]


def _predictions(answers: list[httpx.Response]) -> set[float]:
    return {round(answer.json()["predictions"][0], 6) for answer in answers}


async def _change(url: str, verb: str, name: str = "line") -> tuple[int, Any]:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        answer = await client.post(f"/v2/repository/models/{name}/{verb}")
        return answer.status_code, answer.json()


async def _states(url: str) -> set[tuple[str, str, str]]:
    """What the indices of all workers tell."""
    told = set()
    for _ in range(12):
        async with httpx.AsyncClient(base_url=url, timeout=60) as client:
            index = (await client.post("/v2/repository/index")).json()
        told |= {(entry["name"], entry["state"], entry["reason"]) for entry in index}
    return told


async def _get(url: str, path: str) -> httpx.Response:
    async with httpx.AsyncClient(base_url=url, timeout=60) as client:
        return await client.get(path)


def _runs(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


async def test_workers_that_cannot_serve_end_the_server(tmp_path: Path) -> None:
    (tmp_path / "model.joblib").write_bytes(b"no model")
    log = tmp_path / "log"
    with _server("--workers=2", f"--model_dir={tmp_path}", log=log) as (process, _):
        assert await asyncio.to_thread(process.wait, 30) == 1
        assert "model.joblib cannot be loaded" in log.read_text()


async def test_a_repository_is_served_with_the_reasons_of_what_fails(
    line: Path, tmp_path: Path
) -> None:
    broken = tmp_path / "models/broken"
    broken.mkdir(parents=True)
    (broken / "model.joblib").write_bytes(b"no model")
    line.rename(tmp_path / "models/line")
    log = tmp_path / "log"
    with _server(f"--model_repository={tmp_path / 'models'}", log=log) as (process, url):
        await _logged(log, "model line version 1 is ready")
        assert (await _ask(url)).json() == {"predictions": [pytest.approx(5.0)]}
        async with httpx.AsyncClient(base_url=url, timeout=10) as client:
            index = (await client.post("/v2/repository/index")).json()
            assert [(entry["name"], entry["state"]) for entry in index] == [
                ("broken", "UNAVAILABLE"),
                ("line", "READY"),
            ]
            assert "cannot be loaded" in index[0]["reason"]
            assert (await client.get("/v2/health/ready")).status_code == 200
            failed = await client.post("/v2/repository/models/broken/load")
            assert failed.status_code == 400
            (tmp_path / "models").rename(tmp_path / "elsewhere")
            for path in ("index", "models/line/load"):
                gone = await client.post(f"/v2/repository/{path}")
                assert gone.status_code == 503
                assert "models is no folder" in gone.json()["error"]
            assert (await _ask(url)).status_code == 200
        process.send_signal(signal.SIGTERM)
        assert await asyncio.to_thread(process.wait, 20) == 0


def test_texts_of_workers_are_added() -> None:
    shared = SharedTexts(2)
    mine, theirs = ServerMetrics(["a"]), ServerMetrics(["a"])
    mine.models["a"].failed(400)
    theirs.models["a"].failed(400)
    theirs.models["a"].failed(500)
    theirs.models["a"].predict.observe(0.001)
    mine.phase_seconds["load"] = 0.5
    theirs.phase_seconds["load"] = 0.25
    shared.of(1)(theirs).leave()
    lines = shared.of(0)(mine)().decode().splitlines()
    assert 'request_failures_total{model_name="a",status="400"} 2' in lines
    assert 'request_failures_total{model_name="a",status="500"} 1' in lines
    assert 'request_predict_seconds_count{model_name="a"} 1' in lines
    assert 'request_predict_seconds_sum{model_name="a"} 0.001' in lines
    assert 'startup_phase_seconds{phase="load"} 0.5' in lines
    assert added([mine.text()]).decode().splitlines().count("# TYPE requests_in_flight gauge") == 1


def test_a_slot_is_read_again_after_its_writer_was_killed_in_the_middle() -> None:
    shared = SharedTexts(1)
    shared.put(0, b"before")
    torn = shared.count(0) + 1
    shared._memory[:8] = torn.to_bytes(8, sys.byteorder)  # it died while it wrote
    assert shared.get(0) == b""
    shared.put(0, b"after")
    assert shared.get(0) == b"after"


def test_the_dead_keep_their_counters_and_lose_their_gauges() -> None:
    shared = SharedTexts(2)
    for index in range(2):
        metrics = ServerMetrics(["a"])
        metrics.models["a"].failed(400)
        metrics.models["a"].predict.observe(0.001)
        metrics.in_flight = 3
        shared.of(index)(metrics).leave()
    shared.bury(0)
    shared.bury(1)
    lines = shared.of(0)(ServerMetrics(["a"]))().decode().splitlines()
    assert 'request_failures_total{model_name="a",status="400"} 2' in lines
    assert 'request_predict_seconds_count{model_name="a"} 2' in lines
    assert "requests_in_flight 0" in lines


@pytest.mark.parametrize("left", [b"", b"# TYPE requests_in_flight gauge\nrequests_in_flight 3\n"])
def test_a_worker_that_died_before_it_counted_anything_is_no_matter(left: bytes) -> None:
    shared = SharedTexts(2)
    shared.put(1, left)
    shared.bury(1)
    shared.bury(1)
    lines = shared.of(0)(ServerMetrics(["a"]))().decode().splitlines()
    assert "requests_in_flight 0" in lines
