"""The local gateway as the cluster's DNS, and as the way outside."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from pathlib import Path

import grpc
import httpx
import pytest

from rouse.embedded.mesh import MeshObjects
from rouse.embedded.mesh.translate.snapshot import Translator
from rouse.kube.objects import Object
from tests.unit.mesh.harness import (
    LOCAL,
    Backend,
    Bench,
    backend,
    endpoint_slice,
    running,
    service,
    target,
    virtual_service,
)

Unary = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


@pytest.fixture
async def bench(short_path: Path) -> AsyncIterator[Bench]:
    async with running(Bench(short_path)) as one:
        yield one


async def ask(bench: Bench, url: str) -> httpx.Response:
    """As a program asks that honours http_proxy."""
    proxy = f"http://127.0.0.1:{bench.ports.local}"
    async with httpx.AsyncClient(proxy=proxy, trust_env=False, timeout=10) as http:
        return await http.get(url)


FORMS = ("iris.default", "iris.default.svc", "iris.default.svc.cluster.local")


@pytest.mark.parametrize("form", FORMS)
async def test_every_form_of_a_virtual_services_host(bench: Bench, form: str) -> None:
    async with backend("a") as a:
        route = virtual_service("iris", {"route": [target("a")]}, hosts=[FORMS[2]])
        bench.apply(service("a"), endpoint_slice("a", a.port), route)
        await bench.settle()
        answer = await ask(bench, f"http://{form}/v1/models")
        assert answer.json()["backend"] == "a"
        assert answer.json()["headers"]["host"] == form
        assert answer.json()["line"] == "GET /v1/models HTTP/1.1"
        assert (await ask(bench, f"http://{form}:80/")).json()["backend"] == "a"


async def test_a_plain_service_answers_at_its_ports_only(bench: Bench) -> None:
    async with backend("web") as web, backend("metrics") as metrics:
        ports = [{"name": "http", "port": 80}, {"name": "metrics", "port": 9090}]
        both = endpoint_slice("plain", web.port)
        both["ports"].append({"name": "metrics", "port": metrics.port})
        bench.apply(service("plain", ports=ports), both)
        await bench.settle()
        assert (await ask(bench, "http://plain.default/")).json()["backend"] == "web"
        assert (await ask(bench, "http://plain.default.svc:80/")).json()["backend"] == "web"
        answer = await ask(bench, "http://plain.default.svc.cluster.local:9090/")
        assert answer.json()["backend"] == "metrics"
        wrong = await ask(bench, "http://plain.default:8000/")
        assert wrong.status_code == 404
        assert wrong.json()["error"] == "Service default/plain has no such port; it has 80, 9090"


async def test_an_external_name_leads_to_its_service(bench: Bench) -> None:
    async with backend("a") as a:
        name = service(
            "alias", type="ExternalName", externalName="a.default.svc.cluster.local", ports=[]
        )
        bench.apply(service("a"), endpoint_slice("a", a.port), name)
        await bench.settle()
        assert (await ask(bench, "http://alias.default/")).json()["backend"] == "a"


async def test_a_virtual_service_goes_before_the_service_of_its_host(bench: Bench) -> None:
    async with backend("own") as own, backend("routed") as routed:
        bench.apply(
            service("a"),
            endpoint_slice("a", own.port),
            service("b"),
            endpoint_slice("b", routed.port),
            virtual_service("a", {"route": [target("b")]}, hosts=["a.default.svc.cluster.local"]),
        )
        await bench.settle()
        for form in ("a.default", "a.default.svc.cluster.local"):
            assert (await ask(bench, f"http://{form}/")).json()["backend"] == "routed"


async def test_other_hosts_are_outside(bench: Bench) -> None:
    away = Backend("outside")
    away.open.set()
    server = await asyncio.start_server(away.serve, "127.0.0.2", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        answer = await ask(bench, f"http://127.0.0.2:{port}/model.joblib")
        assert answer.json()["backend"] == "outside"
        assert answer.json()["line"] == "GET /model.joblib HTTP/1.1"


@pytest.mark.parametrize(
    "host", ["nobody.default.svc.cluster.local", "nobody.default.svc", "127.0.0.1", "localhost"]
)
async def test_hosts_inside_that_nobody_has_are_not_looked_for_outside(
    bench: Bench, host: str
) -> None:
    answer = await ask(bench, f"http://{host}:{bench.ports.local}/")
    assert answer.status_code == 404
    assert "nothing is served" in answer.json()["error"]


async def test_a_host_without_an_address_says_how_to_name_a_service(bench: Bench) -> None:
    answer = await ask(bench, "http://nobody.invalid/")
    assert answer.status_code == 503
    assert "name.namespace" in answer.json()["error"]


def domains(*objects: Object) -> list[str]:
    snapshot = Translator().translate(MeshObjects(objects))
    return [domain for host in snapshot.virtual_hosts["local"] for domain in host["domains"]]


def test_no_host_is_claimed_twice() -> None:
    rule = {"route": [target("a")]}
    hosts = ["a.default.svc.cluster.local", "a.default", "127.0.0.1", "*"]
    claimed = domains(service("a"), virtual_service("x", rule, hosts=hosts, gateways=[LOCAL]))
    assert len(claimed) == len(set(claimed))


def test_a_name_for_the_gateway_alone_leads_nowhere() -> None:
    to_gateway = service(
        "iris",
        type="ExternalName",
        externalName="knative-local-gateway.istio-system.svc.cluster.local",
    )
    assert "iris.default" not in domains(to_gateway)


@pytest.mark.parametrize("form", FORMS)
async def test_grpc_clients_tunnel_to_every_form_of_a_host(
    bench: Bench, monkeypatch: pytest.MonkeyPatch, form: str
) -> None:
    async def answer(data: bytes, context: grpc.aio.ServicerContext[bytes, bytes]) -> bytes:
        return b"a said " + data

    server = grpc.aio.server()
    method: grpc.RpcMethodHandler[bytes, bytes] = grpc.unary_unary_rpc_method_handler(answer)
    server.add_generic_rpc_handlers(
        (grpc.method_handlers_generic_handler("inference", {"Ask": method}),)
    )
    port = server.add_insecure_port("127.0.0.1:0")
    await server.start()
    monkeypatch.setenv("http_proxy", f"http://127.0.0.1:{bench.ports.local}")
    monkeypatch.delenv("no_proxy", raising=False)
    route = virtual_service("iris", {"route": [target("a")]}, hosts=[FORMS[2]])
    bench.apply(service("a", port_name="h2c"), endpoint_slice("a", port, port_name="h2c"), route)
    await bench.settle()
    try:
        async with grpc.aio.insecure_channel(f"{form}:80") as channel:
            ask_it: Unary = channel.unary_unary("/inference/Ask")
            assert await ask_it(b"this", timeout=10) == b"a said this"
        async with grpc.aio.insecure_channel("nobody.default:80") as channel:
            ask_it = channel.unary_unary("/inference/Ask")
            with pytest.raises(grpc.aio.AioRpcError, match="404"):
                await ask_it(b"this", timeout=10)
    finally:
        await server.stop(0)
