"""Real Envoy with a thousand services: it starts, stays small, and changes stay quick."""

from __future__ import annotations

import time
from pathlib import Path

from tests.unit.mesh.harness import (
    INGRESS,
    Bench,
    backend,
    destination_rule,
    endpoint_slice,
    running,
    service,
    target,
    virtual_service,
)

COUNT = 1000


def resident_mib(pid: int | None) -> float:
    """Resident memory of a process."""
    status = Path(f"/proc/{pid}/status").read_text()
    line = next(line for line in status.splitlines() if line.startswith("VmRSS"))
    return int(line.split()[1]) / 1024


async def test_a_thousand_services(short_path: Path) -> None:
    bench = Bench(short_path)
    async with backend("a") as a, backend("b") as b:
        for i in range(COUNT):
            name = f"m{i}"
            bench.apply_before_start(
                service(name),
                endpoint_slice(name, a.port),
                destination_rule(name, {"connectionPool": {"tcp": {"maxConnections": 1 + i}}}),
                virtual_service(name, {"route": [target(name)]}),
            )
        began = time.perf_counter()
        async with running(bench):
            print(f"start with {COUNT} services: {time.perf_counter() - began:.2f} s")
            await bench.settle()
            print(f"resident: {resident_mib(bench.gateway.envoy.pid):.0f} MiB")
            assert (await bench.ask("m999")).json()["backend"] == "a"

            async def answered_by_b() -> bool:
                return bool((await bench.ask("m7")).json()["backend"] == "b")

            bench.apply(endpoint_slice("m7", b.port))
            took = await bench.until(answered_by_b)
            print(f"endpoint change to effect: {1000 * took:.1f} ms")
            bench.apply(virtual_service("m7", {"route": [target("m8")]}, gateways=[INGRESS]))

            async def answered_by_a() -> bool:
                return not await answered_by_b()

            took = await bench.until(answered_by_a)
            print(f"route change to effect: {1000 * took:.1f} ms")
            assert took < 1
            await bench.settle()
            bench.apply(service("new"), virtual_service("new", {"route": [target("new")]}))
            began = time.perf_counter()
            await bench.settle()
            print(f"a new service, all in effect: {1000 * (time.perf_counter() - began):.1f} ms")
            for _ in range(3):
                began = time.perf_counter()
                await bench.gateway.stats()
                print(f"statistics: {1000 * (time.perf_counter() - began):.1f} ms")


async def test_idle_is_small(bench: Bench) -> None:
    resident = resident_mib(bench.gateway.envoy.pid)
    print(f"resident, idle: {resident:.0f} MiB")
    assert resident < 150
