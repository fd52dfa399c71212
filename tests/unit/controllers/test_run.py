"""The controller process: ready, leading, told to stop."""

from __future__ import annotations

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest

from rouse.controllers.run import LEASE, LeadershipLostError, Options, run, run_controllers
from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.transport import ApiServerTransport
from rouse.kube import ClusterConfig, KubeClient
from rouse.kube.lease import LeaseTimes
from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_SERVICES, LEASES
from tests.unit.controllers.harness import service

CONFIG = ClusterConfig("https://rouse.test")
QUICK = LeaseTimes(duration=3.0, renew=2.0, retry=0.02)


@pytest.fixture
async def user(monkeypatch: pytest.MonkeyPatch) -> AsyncIterator[KubeClient]:
    """A user's client; what the controllers connect to is the same API."""
    async with memory_api() as (server, http):

        def connect(_config: ClusterConfig) -> KubeClient:
            transport = ApiServerTransport(server)
            return KubeClient(httpx.AsyncClient(transport=transport, base_url=CONFIG.server))

        monkeypatch.setattr("rouse.controllers.run.connect", connect)
        yield KubeClient(http, field_manager="user")


def stop() -> None:
    os.kill(os.getpid(), signal.SIGTERM)


async def reconciled(user: KubeClient) -> None:
    """Wait until the controllers have written a status."""
    made = await user.apply(service())
    version = made["metadata"]["resourceVersion"]
    async for event in user.watch(INFERENCE_SERVICES, "default", resource_version=version):
        if event.object.get("status"):
            return


async def lease(user: KubeClient) -> Object:
    found: Object = (await user.get(LEASES, LEASE.name, LEASE.namespace))["spec"]
    return found


@pytest.mark.parametrize("leader_election", [False, True])
async def test_it_becomes_ready_works_and_stops_when_told(
    user: KubeClient, leader_election: bool
) -> None:
    ready = asyncio.Event()
    running = asyncio.create_task(
        run(CONFIG, Options(leader_election=leader_election), ready=ready.set)
    )
    async with asyncio.timeout(20):
        await ready.wait()
        await reconciled(user)
        stop()
        await running
    if leader_election:
        assert (await lease(user))["holderIdentity"] == ""


async def test_one_that_waits_to_lead_stops_when_told(user: KubeClient) -> None:
    other: Object = {
        "apiVersion": LEASES.api_version,
        "kind": LEASES.kind,
        "metadata": {"name": LEASE.name, "namespace": LEASE.namespace},
        "spec": {"holderIdentity": "other", "leaseDurationSeconds": 3600},
    }
    await user.create(other)
    running = asyncio.create_task(
        run(CONFIG, Options(leader_election=True, lease_times=QUICK), ready=pytest.fail)
    )
    await asyncio.sleep(0.1)
    stop()
    async with asyncio.timeout(10):
        await running
    assert (await lease(user))["holderIdentity"] == "other"


async def test_one_that_lost_the_lease_ends(user: KubeClient) -> None:
    ready = asyncio.Event()
    running = asyncio.create_task(
        run(CONFIG, Options(leader_election=True, lease_times=QUICK), ready=ready.set)
    )
    async with asyncio.timeout(20):
        await ready.wait()
        taken = {"spec": {"holderIdentity": "thief", "leaseDurationSeconds": 3600}}
        await user.patch(LEASES, LEASE.name, taken, namespace=LEASE.namespace)
        with pytest.raises(LeadershipLostError, match="another process may lead"):
            await running
    assert (await lease(user))["holderIdentity"] == "thief"


def test_a_kubeconfig_that_is_not_there(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    assert run_controllers(tmp_path / "absent") == 1
    assert "absent: cannot be read" in caplog.text
