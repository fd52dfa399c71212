"""Panels and rules, evaluated by a real Prometheus that scrapes real processes."""

from __future__ import annotations

import asyncio
import itertools
import json
import os
import signal
import time
from collections.abc import AsyncIterator, Iterator
from contextlib import AsyncExitStack, asynccontextmanager
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from threading import Thread
from typing import Any

import httpx
import pytest
import yaml

from rouse.controllers.run import Options, run
from rouse.daemon.endpoints import Ports
from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.transport import ApiServerTransport
from rouse.embedded.ports import free_port
from rouse.kube import ClusterConfig, KubeClient
from rouse.webhook.metrics import Metrics
from tests.unit.controllers.harness import Faults, service
from tests.unit.observability.running import PROMETHEUS, prometheus
from tests.unit.observability.support import (
    RULES,
    Json,
    Server,
    groups_of,
    panels,
    predictor,
    rules,
)

CONFIG = ClusterConfig("https://rouse.test")
EMPTY = {
    **dict.fromkeys(
        (
            "rouse-cold-starts: Wake-ups (p95)",
            "rouse-cold-starts: Phases of wake-ups (p95)",
            "rouse-cold-starts: Over their own budget",
        ),
        "nobody plays Knative: nothing sleeps, and nothing wakes",
    ),
    "rouse-model-server: Explain": "scikit-learn's server explains nothing",
}
"""Panels without a number here, and why."""

pytestmark = [
    pytest.mark.skipif(PROMETHEUS is None, reason="no prometheus is installed"),
    pytest.mark.timeout(180),
]


@asynccontextmanager
async def controller(port: int) -> AsyncIterator[None]:
    """A controller process's whole life in this one, on an API that fails it twice."""
    async with memory_api() as (server, http):
        faults = Faults(ApiServerTransport(server))
        for _ in range(2):
            faults.fail("PATCH services", 500, "InternalError")
        ready = asyncio.Event()
        with pytest.MonkeyPatch.context() as patch:
            client = KubeClient(httpx.AsyncClient(transport=faults, base_url=CONFIG.server))
            patch.setattr("rouse.controllers.run.connect", lambda _config: client)
            options = Options(leader_election=True, ports=Ports(metrics=port, health=port))
            running = asyncio.create_task(run(CONFIG, options, ready=ready.set))
            async with asyncio.timeout(30):
                await ready.wait()
            user = KubeClient(http, field_manager="user")
            busy = asyncio.create_task(_keep_changing(user))
            yield
            busy.cancel()
            os.kill(os.getpid(), signal.SIGTERM)
            await asyncio.gather(running, busy, return_exceptions=True)
            assert busy.cancelled()
            assert running.exception() is None


async def _keep_changing(user: KubeClient) -> None:
    for replicas in itertools.cycle((1, 2)):
        await user.apply(service(minReplicas=replicas))
        await asyncio.sleep(0.5)


@asynccontextmanager
async def webhook() -> AsyncIterator[int]:
    """The webhooks' own metrics behind a tiny server; each scrape comes after one more review."""
    expires = datetime.now(UTC) + timedelta(days=200)
    metrics = Metrics(expires=lambda: expires, clock=lambda: datetime.now(UTC))
    metrics.failed(500)

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self) -> None:
            metrics.reviewed("validate", "CREATE", False, 0.002)
            metrics.reviewed("mutate-pods", "CREATE", True, 0.004)
            body = metrics.render().encode()
            self.send_response(200)
            self.send_header("content-length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *args: Any) -> None:
            """Nothing."""

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    thread = Thread(target=server.serve_forever, args=(0.02,))
    thread.start()
    try:
        yield server.server_address[1]
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()


@asynccontextmanager
async def traffic(first: Server, second: Server) -> AsyncIterator[None]:
    """Requests to both, three to one: repeated ones, refused ones, and more than can wait."""

    async def keep_asking() -> None:
        path = "/v1/models/iris:predict"
        number = 0
        async with httpx.AsyncClient(trust_env=False, timeout=20) as client:
            while True:
                number += 1
                bodies: list[Json] = [
                    {"instances": [[5.1, 3.5, 1.4, number + each]]} for each in range(12)
                ]
                bodies += [{"instances": [[5.1, 3.5, 1.4, 0.2]]}, {"instances": "no"}]
                await asyncio.gather(
                    *(client.post(first.url + path, json=body) for body in bodies),
                    *(client.post(second.url + path, json=body) for body in bodies[:4]),
                )
                await asyncio.sleep(0.05)

    task = asyncio.create_task(keep_asking())
    try:
        yield
    finally:
        task.cancel()
        (outcome,) = await asyncio.gather(task, return_exceptions=True)
        assert isinstance(outcome, asyncio.CancelledError), outcome


def _settings(folder: Path, models: dict[str, int], others: dict[str, int]) -> Path:
    """Write Prometheus' own files: labels are those that the monitors give."""
    for path in RULES:
        groups = groups_of(path)
        for group in groups["groups"]:
            group["interval"] = "1s"
        (folder / path.name).write_text(yaml.safe_dump(groups))
    labels = {"namespace": "default", "inferenceservice": "iris", "component": "predictor"}
    jobs: list[Json] = [
        {
            "job_name": "rouse-models",
            "static_configs": [
                {
                    "targets": [f"127.0.0.1:{port}"],
                    "labels": {**labels, "revision": revision, "pod": f"{revision}-pod"},
                }
                for revision, port in models.items()
            ],
        }
    ]
    for job, port in others.items():
        found = {"targets": [f"127.0.0.1:{port}"], "labels": {"pod": f"{job}-1"}}
        jobs.append({"job_name": job, "static_configs": [found]})
    config = {
        "global": {"scrape_interval": "500ms", "scrape_timeout": "500ms"},
        "rule_files": [str(folder / path.name) for path in RULES],
        "scrape_configs": jobs,
    }
    file = folder / "prometheus.yml"
    file.write_text(yaml.safe_dump(config))
    return file


@pytest.fixture
async def observed(model: Path, tmp_path: Path) -> AsyncIterator[httpx.AsyncClient]:
    """Prometheus, with two revisions of a model, a controller and the webhooks to ask."""
    # The second place takes nothing, and what waits for it is lost at once.
    env = {
        "ROUSE_LOGGER_URL": f"file://{tmp_path}/log,http://127.0.0.1:{free_port()}",
        "ROUSE_LOGGER_QUEUE_SIZE": "1",
    }
    flags = ("--cache_size=1000000", "--max_batch_latency_ms=20", "--max_queue=6")
    control = free_port()
    async with AsyncExitStack() as stack:
        first = stack.enter_context(predictor(model, tmp_path / "a", env, *flags))
        second = stack.enter_context(predictor(model, tmp_path / "b", env, *flags))
        await stack.enter_async_context(controller(control))
        others = {
            "rouse-controller": control,
            "rouse-webhook": await stack.enter_async_context(webhook()),
        }
        models = {"iris-predictor-00001": first.port, "iris-predictor-00002": second.port}
        await stack.enter_async_context(traffic(first, second))
        file = _settings(tmp_path, models, others)
        yield await stack.enter_async_context(prometheus(tmp_path, file))


def _filled(expr: str) -> str:
    """The query with Grafana's variables as Grafana fills them in."""
    for name, value in (
        ("$__rate_interval", "10s"),
        ("$namespace", "(default|other)"),
        ("$service", ".+"),
    ):
        expr = expr.replace(name, value)
    assert "$" not in expr, expr
    return expr


async def _numbers(client: httpx.AsyncClient, expr: str) -> list[float]:
    """All finite numbers that a query gives over the last seconds; a wrong query fails the test."""
    now = time.time()
    range_ = {"query": _filled(expr), "start": now - 20, "end": now, "step": 1}
    answer = (await client.post("/api/v1/query_range", data=range_)).json()
    assert answer["status"] == "success", f"{expr}: {answer}"
    found = [float(value) for one in answer["data"]["result"] for _, value in one["values"]]
    return [number for number in found if number == number]


def _queries() -> Iterator[tuple[str, str]]:
    for address, panel in panels():
        for target in panel["targets"]:
            yield address, target["expr"]


async def test_every_panel_shows_numbers(observed: httpx.AsyncClient) -> None:
    missing = set(_queries())
    deadline = time.monotonic() + 60
    while {name for name, _ in missing} - EMPTY.keys() and time.monotonic() < deadline:
        await asyncio.sleep(1)
        for name, expr in sorted(missing):
            if await _numbers(observed, expr):
                missing.discard((name, expr))
    assert {name for name, _ in missing} == EMPTY.keys(), sorted(missing)
    await _rules_are_well(observed)
    await _what_is_chosen_from_is_there(observed)
    await _the_canary_has_its_share(observed)


async def _rules_are_well(client: httpx.AsyncClient) -> None:
    answer = (await client.get("/api/v1/rules")).json()["data"]["groups"]
    evaluated = [rule for group in answer for rule in group["rules"]]
    assert len(evaluated) == len(list(rules()))
    assert {rule["health"] for rule in evaluated} == {"ok"}, json.dumps(evaluated)
    records = {rule["name"] for rule in evaluated if rule["type"] == "recording"}
    for name in sorted(records):
        assert await _numbers(client, name), name


async def _what_is_chosen_from_is_there(client: httpx.AsyncClient) -> None:
    up = {"match[]": 'up{job="rouse-models", namespace=~".+"}'}
    for label, values in (("namespace", ["default"]), ("inferenceservice", ["iris"])):
        answer = await client.get(f"/api/v1/label/{label}/values", params=up)
        assert answer.json()["data"] == values


async def _the_canary_has_its_share(client: httpx.AsyncClient) -> None:
    (expr,) = (expr for name, expr in _queries() if name == "rouse-services: Canary split")
    answer = (await client.get("/api/v1/query", params={"query": _filled(expr)})).json()
    shares = {one["metric"]["revision"]: float(one["value"][1]) for one in answer["data"]["result"]}
    assert shares.keys() == {"iris-predictor-00001", "iris-predictor-00002"}
    assert sum(shares.values()) == pytest.approx(1)
    assert shares["iris-predictor-00001"] > shares["iris-predictor-00002"] > 0
