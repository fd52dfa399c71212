"""A predictor of several processes."""

from __future__ import annotations

import asyncio
import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx
import joblib
import pytest
from sklearn.linear_model import LinearRegression

from predictors.serving.metrics import ServerMetrics
from predictors.serving.metrics.shared import SharedTexts, added

ROOT = Path(__file__).parents[3]
V1 = "/v1/models/line:predict"


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
    async with httpx.AsyncClient(base_url=url, timeout=10) as client:
        return await client.post(V1, json={"instances": [[2.0]]})


async def _logged(log: Path, text: str) -> None:
    async with asyncio.timeout(30):
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


async def test_a_worker_that_stands_still_is_replaced_and_its_counts_stay(
    line: Path, tmp_path: Path
) -> None:
    log = tmp_path / "log"
    flags = ("--workers=2", "--hang_seconds=2", f"--model_dir={line}")
    with _server(*flags, log=log) as (process, url):
        await _logged(log, "2 workers are ready")
        for _ in range(8):
            assert (await _ask(url)).status_code == 200
        await _answered_count(url, 8.0)
        stuck = _children(process.pid)[0]
        os.kill(stuck, signal.SIGSTOP)
        await _logged(log, f"(process {stuck}) stood still for 2 s and is killed")
        async with asyncio.timeout(20):
            while len(_children(process.pid)) < 2:
                await asyncio.sleep(0.02)
        for _ in range(4):
            assert (await _ask(url)).status_code == 200
        await _answered_count(url, 12.0)


async def _answered_count(url: str, count: float) -> None:
    """Wait until a scrape tells so many answers; it lags by a second."""
    async with asyncio.timeout(20), httpx.AsyncClient(base_url=url, timeout=10) as client:
        told = f'model_infer_request_success_total{{model="line",version="1"}} {count:g}\n'
        while told not in (await client.get("/metrics")).text:
            await asyncio.sleep(0.05)


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
