"""Real Envoy: changes take effect at once, and not one request fails meanwhile."""

from __future__ import annotations

import asyncio
import os
import signal
from collections import Counter

import pytest

from rouse.embedded.mesh import ClusterStats
from rouse.errors import PortInUseError
from rouse.kube.objects import Key, Object
from tests.unit.mesh.harness import (
    KEY,
    NAMESPACE,
    Backend,
    Bench,
    backend,
    destination_rule,
    endpoint_slice,
    running,
    service,
    target,
    virtual_service,
)


def weights(old: int, new: int) -> Object:
    return virtual_service("iris", {"route": [target("a", old), target("b", new)]})


async def lead(bench: Bench, a: Backend, b: Backend) -> None:
    """Services a and b, and a host whose requests all go to a."""
    bench.apply(
        service("a"),
        endpoint_slice("a", a.port),
        service("b"),
        endpoint_slice("b", b.port),
        weights(100, 0),
    )
    await bench.settle()


async def test_weight_change_takes_effect(bench: Bench) -> None:
    async with backend("a") as a, backend("b") as b:
        await lead(bench, a, b)

        async def from_b() -> bool:
            return bool((await bench.ask("iris")).json()["backend"] == "b")

        bench.apply(weights(0, 100))
        took = await bench.until(from_b)
        print(f"weight change to effect: {took * 1000:.1f} ms")
        assert took < 0.5


async def test_endpoint_change_takes_effect(bench: Bench) -> None:
    async with backend("a") as a, backend("b") as b:
        await lead(bench, a, b)
        here, there = (frozenset([("127.0.0.1", one.port)]) for one in (a, b))
        assert await bench.gateway.serving(KEY, here, 1)
        assert not await bench.gateway.serving(KEY, there, 0.05)
        began = asyncio.get_running_loop().time()
        bench.apply(endpoint_slice("a", b.port))
        assert await bench.gateway.serving(KEY, there, 1)
        took = asyncio.get_running_loop().time() - began
        print(f"endpoint change to effect: {took * 1000:.1f} ms")
        assert took < 0.2
        assert (await bench.ask("iris")).json()["backend"] == "b"


async def test_endpoints_that_change_while_routes_are_published(
    bench: Bench, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What was read before a publication is old when it ends: it must not come back then."""
    async with backend("a") as a, backend("b") as b:
        await lead(bench, a, b)
        versions = bench.gateway.admin.versions
        asked, go_on = asyncio.Event(), asyncio.Event()

        async def held() -> dict[str, str]:
            asked.set()
            await go_on.wait()
            return await versions()

        monkeypatch.setattr(bench.gateway.admin, "versions", held)
        bench.apply(service("c"), virtual_service("late", {"route": [target("c")]}))
        await asyncio.wait_for(asked.wait(), 5)
        bench.apply(endpoint_slice("c", a.port), endpoint_slice("b", a.port))
        for name in ("b", "c"):
            assert await bench.gateway.reaching(Key(NAMESPACE, name), ("127.0.0.1", a.port), 2)
        go_on.set()
        await bench.settle()
        assert (await bench.ask("late")).json()["backend"] == "a"
        here = frozenset([("127.0.0.1", a.port)])
        assert await bench.gateway.serving(Key(NAMESPACE, "b"), here, 1)


async def test_slices_with_different_ports_add_up(bench: Bench) -> None:
    async with backend("a") as a, backend("b") as b:
        bench.apply(
            service("a"),
            endpoint_slice("a", a.port, index=1),
            endpoint_slice("a", b.port, index=2),
            virtual_service("iris", {"route": [target("a")]}),
        )
        await bench.settle()
        assert set(await bench.answered_by("iris", 60)) == {"a", "b"}
        second = endpoint_slice("a", b.port, index=2)
        bench.remove(second)
        await bench.settle()
        assert set(await bench.answered_by("iris", 30)) == {"a"}


async def _load(bench: Bench, seen: Counter[str], stop: asyncio.Event) -> None:
    while not stop.is_set():
        response = await bench.ask("iris", method="POST", content=b"x" * 100)
        if response.status_code == 200:
            seen["ok"] += 1
        else:
            seen[f"{response.status_code} {response.text}"] += 1


async def _churn(bench: Bench, a: Backend, b: Backend, count: int) -> None:
    """New revision, canary, promotion, limits, removal of the old one: over and over."""
    for i in range(count):
        old, new = f"r{i}", f"r{i + 1}"
        port = (a if i % 2 else b).port
        bench.apply(service(new), endpoint_slice(new, port))
        for share in (10, 50):
            route = {"route": [target(old, 100 - share), target(new, share)]}
            bench.apply(virtual_service("iris", route))
            await asyncio.sleep(0.004)
        pool = {"tcp": {"maxConnections": 100 + i}}
        bench.apply(
            virtual_service("iris", {"route": [target(new)]}),
            destination_rule(new, {"connectionPool": pool}),
            endpoint_slice(new, (b if i % 2 else a).port),
        )
        await asyncio.sleep(0.004)
        bench.remove(service(old), endpoint_slice(old, 1), destination_rule(old, {}))
        await bench.settle()


async def test_no_request_fails_through_hundreds_of_changes(bench: Bench) -> None:
    async with backend("a") as a, backend("b") as b:
        bench.apply(
            service("r0"),
            endpoint_slice("r0", a.port),
            virtual_service("iris", {"route": [target("r0")]}),
        )
        await bench.settle()
        seen: Counter[str] = Counter()
        stop = asyncio.Event()
        clients = [asyncio.create_task(_load(bench, seen, stop)) for _ in range(8)]
        await _churn(bench, a, b, 100)
        stop.set()
        await asyncio.gather(*clients)
        print(f"{seen['ok']} requests through 700 changes")
        assert set(seen) == {"ok"}, seen
        assert seen["ok"] > 500


async def test_one_connection_queues_instead_of_failing(bench: Bench) -> None:
    async with backend("a", held=True) as a:
        pool = {"tcp": {"maxConnections": 1}, "http": {"http1MaxPendingRequests": 3}}
        bench.apply(
            service("a"),
            endpoint_slice("a", a.port),
            destination_rule("a", {"connectionPool": pool}),
            virtual_service("iris", {"route": [target("a")]}),
        )
        await bench.settle()
        four = [asyncio.create_task(bench.ask("iris"))]
        await a.arrived.wait()
        four += [asyncio.create_task(bench.ask("iris")) for _ in range(3)]

        async def all_wait() -> bool:
            return bool((await bench.stats()).active == 4)

        await bench.until(all_wait)
        refused = await bench.ask("iris")
        assert refused.status_code == 503
        assert refused.headers["retry-after"] == "1"
        assert "retry later" in refused.json()["error"]
        a.open.set()
        assert [response.status_code for response in await asyncio.gather(*four)] == [200] * 4
        assert a.most == 1
        stats = await bench.stats()
        assert stats.active == 0
        assert stats.total >= 4


async def test_statistics_of_a_service_nobody_asked(bench: Bench) -> None:
    revision = service("a")
    revision["metadata"]["labels"] = {"serving.knative.dev/revision": "a"}
    bench.apply(revision, endpoint_slice("a", 9))
    await bench.settle()
    assert await bench.gateway.serving(KEY, frozenset([("127.0.0.1", 9)]), 1)
    assert await bench.stats() == ClusterStats(0, 0)


async def test_what_envoy_alone_refuses_is_withheld(bench: Bench) -> None:
    async with backend("a") as a, backend("b") as b:
        await lead(bench, a, b)
        # valid for Python, and so for the check before, but not for RE2
        rule = {"match": [{"uri": {"regex": "/\\u0041"}}], "route": [target("b")]}
        good = {"match": [{"uri": {"prefix": "/b"}}], "route": [target("b")]}
        bench.apply(
            virtual_service("iris", rule), *(virtual_service(f"g{i}", good) for i in range(5))
        )
        await bench.settle()
        # iris stays as it was, the others have come
        assert (await bench.ask("iris")).json()["backend"] == "a"
        for i in range(5):
            assert (await bench.ask(f"g{i}", "/b")).status_code == 200
        (finding,) = bench.findings
        assert (finding.key, finding.reason) == (Key("default", "iris"), "RefusedByEnvoy")
        assert "invalid escape sequence" in finding.message
        bench.apply(weights(0, 100))
        await bench.settle()
        assert (await bench.ask("iris")).json()["backend"] == "b"


async def test_envoy_is_started_again(bench: Bench) -> None:
    async with backend("a") as a, backend("b") as b:
        await lead(bench, a, b)
        pid = bench.gateway.envoy.pid
        assert pid is not None
        os.kill(pid, signal.SIGKILL)

        async def back() -> bool:
            return bench.gateway.envoy.restarts == 1 and await bench.gateway.admin.is_live()

        print(f"back after {1000 * await bench.until(back):.0f} ms")
        assert (await bench.ask("iris")).json()["backend"] == "a"
        bench.apply(endpoint_slice("a", b.port), weights(100, 0))
        await bench.settle()
        assert (await bench.ask("iris")).json()["backend"] == "b"
        assert bench.gateway.envoy.pid != pid
        # The stream of the Envoy that was killed has ended: it would be read for ever.
        assert bench.gateway.streams == 1


async def test_a_port_in_use_is_named(bench: Bench) -> None:
    root = bench.paths.root.parent / "second"
    second = Bench(root, ports=bench.ports)
    with pytest.raises(PortInUseError, match=f"port {bench.ports.ingress} .* envoy"):
        async with running(second):
            pass
