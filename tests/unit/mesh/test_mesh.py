"""The mesh on a Kubernetes API, HTTP/2 replicas, and Envoy's process."""

from __future__ import annotations

import asyncio
from pathlib import Path

import httpx
import pytest

from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.mesh import Mesh, MeshOptions, MeshPaths, MeshPorts
from rouse.embedded.ports import free_port
from rouse.errors import ProcessError
from rouse.kube.client import KubeClient
from rouse.kube.resources import ENDPOINT_SLICES, EVENTS, VIRTUAL_SERVICES
from tests.unit.mesh.harness import (
    KEY,
    Bench,
    backend,
    endpoint_slice,
    http2_server,
    running,
    service,
    target,
    virtual_service,
)


async def test_mesh_follows_the_api(short_path: Path) -> None:
    async with memory_api() as (_, http), backend("a") as a, backend("b") as b:
        client = KubeClient(http)
        await client.create(service("a"))
        await client.create(endpoint_slice("a", a.port))
        await client.create(virtual_service("iris", {"route": [target("a")]}))
        ports = MeshPorts(free_port(), free_port(), free_port())
        paths = MeshPaths(short_path / "mesh", run=short_path, log=short_path / "envoy.log")
        mesh = Mesh(
            client,
            paths,
            ports,
            activator_socket=short_path / "activator.sock",
        )
        url = f"http://127.0.0.1:{ports.ingress}/"
        host = {"host": "iris.default.localhost"}
        try:
            await mesh.start()
            async with httpx.AsyncClient(trust_env=False) as asking:
                assert (await asking.get(url, headers=host)).json()["backend"] == "a"
                await client.delete(ENDPOINT_SLICES, "a-1", "default")
                await client.create(endpoint_slice("a", b.port, index=2))
                assert await mesh.serving(KEY, frozenset([("127.0.0.1", b.port)]), 2)
                assert (await asking.get(url, headers=host)).json()["backend"] == "b"
                bad = {"match": [{"uri": {"regex": "("}}], "route": [target("a")]}
                await client.create(virtual_service("bad", bad))
                async with asyncio.timeout(2):
                    while not (events := (await client.list(EVENTS, "default")).items):
                        await asyncio.sleep(0.01)
                assert events[0]["involvedObject"]["name"] == "bad"
                assert "spec.http[0].match[0].uri.regex" in events[0]["message"]
                await _reconciled(client, "iris", "True", "")
                await _reconciled(client, "bad", "False", "spec.http[0].match[0].uri.regex")
                await client.delete(VIRTUAL_SERVICES, "iris", "default")
                async with asyncio.timeout(2):
                    while (await asking.get(url, headers=host)).status_code != 404:
                        await asyncio.sleep(0.01)
        finally:
            await mesh.stop()


async def _reconciled(client: KubeClient, name: str, status: str, message: str) -> None:
    """Wait until the VirtualService says whether the gateway has its generation."""
    async with asyncio.timeout(2):
        while True:
            found = await client.get(VIRTUAL_SERVICES, name, "default")
            told = found.get("status") or {}
            if told.get("observedGeneration") == found["metadata"]["generation"]:
                break
            await asyncio.sleep(0.01)
    [condition] = told["conditions"]
    assert (condition["type"], condition["status"]) == ("Reconciled", status)
    assert message in condition.get("message", "")


async def test_http2_replicas(bench: Bench) -> None:
    async with http2_server() as port:
        bench.apply(
            service("a", port_name="h2c"),
            endpoint_slice("a", port, port_name="h2c"),
            virtual_service("iris", {"route": [target("a")]}),
        )
        await bench.settle()
        response = await bench.ask("iris")
        assert response.text == "HTTP/2"


async def test_stop_lets_requests_end(short_path: Path) -> None:
    bench = Bench(short_path)
    async with backend("a", held=True) as a:
        bench.apply_before_start(
            service("a"),
            endpoint_slice("a", a.port),
            virtual_service("iris", {"route": [target("a")]}),
        )
        await bench.gateway.start()
        asking = asyncio.create_task(bench.ask("iris"))
        await a.arrived.wait()
        stopping = asyncio.create_task(bench.gateway.stop())
        await asyncio.sleep(0.1)
        assert not stopping.done()
        a.open.set()
        assert (await asking).status_code == 200
        await stopping
        await bench.gateway.stop()  # again, harmless
        assert bench.gateway.envoy.pid is None
        with pytest.raises(httpx.ConnectError):
            await bench.ask("iris")
        await bench.client.aclose()


async def test_envoy_that_cannot_start_shows_its_log(short_path: Path) -> None:
    broken = short_path / "envoy"
    broken.write_text(
        '#!/bin/sh\nwhile [ "$1" != --log-path ]; do shift; done\n'
        'echo "no such luck" > "$2"; exit 3\n'
    )
    broken.chmod(0o755)
    bench = Bench(short_path, envoy=broken)
    with pytest.raises(ProcessError, match="no such luck") as caught:
        async with running(bench):
            pass
    assert "ended with 3" in str(caught.value)
    assert caught.value.log_tail == ("no such luck",)


async def test_log_is_kept_small(short_path: Path) -> None:
    bench = Bench(short_path, MeshOptions(log_bytes=10, log_check=0.05))
    async with running(bench):
        bench.paths.log.write_text("x" * 100)
        rotated = bench.paths.log.with_name("envoy.log.1")

        async def is_rotated() -> bool:
            return rotated.exists()

        await bench.until(is_rotated)
