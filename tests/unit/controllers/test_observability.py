"""What a controller process tells of itself, and that docs/controllers.md says so."""

from __future__ import annotations

import asyncio
import os
import re
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
from click.testing import CliRunner

from rouse.cli.cluster import controller
from rouse.controllers.observability.metrics import Metrics
from rouse.controllers.run import LEASE, Options, run
from rouse.daemon.endpoints import Ports
from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.transport import ApiServerTransport
from rouse.embedded.ports import free_port
from rouse.kube import ClusterConfig, Key, KubeClient
from rouse.kube.client import ApiCall
from rouse.kube.controller import Outcome, Reconciled
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_SERVICES, LEASES
from tests.unit.controllers.harness import service

CONFIG = ClusterConfig("https://rouse.test")
PAGE = Path(__file__).parents[3] / "docs" / "controllers.md"
FAMILY = re.compile(r"^# TYPE (\S+) (\S+)$", re.MULTILINE)


def test_the_page_lists_the_metrics_and_only_these() -> None:
    told = [name for name, _ in FAMILY.findall(Metrics(lambda: 0.0).render())]
    text = PAGE.read_text().partition("## Metrics")[2].partition("## Profiles")[0]
    assert sorted(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == sorted(told)


def test_the_page_lists_the_flags_and_only_these() -> None:
    text = PAGE.read_text().partition("## How")[0]
    told = CliRunner().invoke(controller, ["--help"]).output
    flags = set(re.findall(r"--[a-z-]+", told)) - {"--help", "--no-leader-elect"}
    assert set(re.findall(r"^\| `(--[a-z-]+)` \|", text, re.MULTILINE)) == flags


def test_profiling_needs_a_port() -> None:
    result = CliRunner().invoke(controller, ["--profiling"])
    assert (result.exit_code, "--metrics-port" in result.output) == (2, True)


def test_what_is_counted() -> None:
    metrics = Metrics(lambda: 0.0)
    metrics.called(ApiCall("apply", 200, 0.02))
    metrics.called(ApiCall("apply", 0, 5.0))
    metrics.reconciled(
        Reconciled("inferenceservice", Key("a", "b"), Outcome.FAILED, 0.1, 0, "Invalid")
    )
    metrics.reconciled(Reconciled("inferenceservice", Key("a", "b"), Outcome.DONE, 0.1, 0))
    metrics.waited("inferenceservice")(0.3)
    lines = metrics.render().splitlines()
    for line in (
        'rouse_api_requests_total{verb="apply",code="200"} 1',
        'rouse_api_requests_total{verb="apply",code="0"} 1',
        'rouse_api_request_seconds_count{verb="apply"} 2',
        'rouse_reconcile_total{controller="inferenceservice",result="failed"} 1',
        'rouse_reconcile_errors_total{controller="inferenceservice",reason="Invalid"} 1',
        'rouse_reconcile_seconds_bucket{controller="inferenceservice",le="0.1"} 2',
        'rouse_workqueue_wait_seconds_count{controller="inferenceservice"} 1',
        "rouse_leader 0",
    ):
        assert line in lines


@pytest.fixture
async def user(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeClient]:
    """A user's client; what the controllers connect to is the same API."""
    async with memory_api() as (server, http):

        def connect(_config: ClusterConfig) -> KubeClient:
            transport = ApiServerTransport(server)
            return KubeClient(httpx.AsyncClient(transport=transport, base_url=CONFIG.server))

        monkeypatch.setattr("rouse.controllers.run.connect", connect)
        yield KubeClient(http, field_manager="user")


async def get(port: int, path: str) -> httpx.Response:
    async with httpx.AsyncClient(trust_env=False) as http:
        return await http.get(f"http://127.0.0.1:{port}{path}")


async def test_a_working_process(user: KubeClient) -> None:
    port = free_port()
    options = Options(leader_election=True, ports=Ports(metrics=port, health=port))
    ready = asyncio.Event()
    running = asyncio.create_task(run(CONFIG, options, ready=ready.set))
    async with asyncio.timeout(30):
        await ready.wait()
        assert (await get(port, "/readyz")).text == "ok\n"
        assert (await get(port, "/healthz")).status_code == 200
        made = await user.apply(service())
        version = made["metadata"]["resourceVersion"]
        async for event in user.watch(INFERENCE_SERVICES, "default", resource_version=version):
            if event.object.get("status"):
                break
        text = (await get(port, "/metrics")).text
        os.kill(os.getpid(), signal.SIGTERM)
        await running
    for line in (
        "rouse_leader 1",
        'rouse_informer_synced{resource="inferenceservices.serving.kserve.io"} 1',
        'rouse_informer_objects{resource="inferenceservices.serving.kserve.io"} 1',
        'rouse_api_requests_total{verb="apply",code="201"} 2',
        'rouse_api_requests_total{verb="update",code="200"}',
        'rouse_workqueue_adds_total{controller="inferenceservice"}',
    ):
        assert line in text, text


async def test_one_that_stands_by_is_ready_too(user: KubeClient) -> None:
    other: Object = {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {"name": LEASE.name, "namespace": LEASE.namespace},
        "spec": {"holderIdentity": "other", "leaseDurationSeconds": 3600},
    }
    await user.create(other)
    port = free_port()
    options = Options(leader_election=True, ports=Ports(metrics=port, health=port))
    running = asyncio.create_task(run(CONFIG, options, ready=pytest.fail))
    async with asyncio.timeout(20):
        while True:
            try:
                if (await get(port, "/readyz")).status_code == 200:
                    break
            except httpx.ConnectError:
                await asyncio.sleep(0.01)
        assert "\nrouse_leader 0\n" in (await get(port, "/metrics")).text
        os.kill(os.getpid(), signal.SIGTERM)
        await running
