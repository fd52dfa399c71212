"""A real Envoy with tiny real servers behind it, and the objects that lead to them."""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx
import orjson
from granian.constants import HTTPModes, Interfaces
from granian.server.embed import Server

from rouse.embedded.mesh import (
    ClusterStats,
    Finding,
    Gateway,
    MeshObjects,
    MeshOptions,
    MeshPaths,
    MeshPorts,
)
from rouse.embedded.ports import free_port
from rouse.kube.objects import Key, Object

INGRESS = "knative-serving/knative-ingress-gateway"
LOCAL = "knative-serving/knative-local-gateway"
NAMESPACE = "default"


def service(name: str, *, port_name: str = "http", port: int = 80, **spec: Any) -> Object:
    """A Service with one port."""
    ports = [{"name": port_name, "port": port}]
    return _object("Service", "v1", name, {"ports": ports, **spec})


def endpoint_slice(
    service_name: str,
    port: int,
    *,
    index: int = 1,
    ready: bool | None = True,
    host: str = "127.0.0.1",
    port_name: str = "http",
) -> Object:
    """A slice with one endpoint, as there is one for each replica on one machine."""
    conditions = {} if ready is None else {"ready": ready}
    obj = _object("EndpointSlice", "discovery.k8s.io/v1", f"{service_name}-{index}", None)
    obj["metadata"]["labels"] = {"kubernetes.io/service-name": service_name}
    obj["addressType"] = "IPv4"
    obj["endpoints"] = [{"addresses": [host], "conditions": conditions}]
    obj["ports"] = [{"name": port_name, "port": port}]
    return obj


def target(
    name: str, weight: int | None = None, headers: Mapping[str, str] | None = None
) -> Object:
    """A route destination; ``headers`` are set on its requests."""
    host = f"{name}.{NAMESPACE}.svc.cluster.local"
    found: Object = {"destination": {"host": host, "port": {"number": 80}}}
    if weight is not None:
        found["weight"] = weight
    if headers:
        found["headers"] = {"request": {"set": dict(headers)}}
    return found


def virtual_service(
    name: str,
    *rules: Object,
    hosts: Iterable[str] | None = None,
    gateways: Iterable[str] = (INGRESS, LOCAL),
    namespace: str = NAMESPACE,
    created: str = "2026-01-01T00:00:00Z",
) -> Object:
    """A VirtualService; its host is ``<name>.default.localhost``."""
    spec = {
        "hosts": list(hosts or [f"{name}.{NAMESPACE}.localhost"]),
        "gateways": list(gateways),
        "http": list(rules),
    }
    obj = _object("VirtualService", "networking.istio.io/v1", name, spec)
    obj["metadata"] |= {"namespace": namespace, "creationTimestamp": created}
    return obj


def destination_rule(name: str, policy: Object, *, host: str = "") -> Object:
    """A DestinationRule for the Service of the same name."""
    spec = {"host": host or f"{name}.{NAMESPACE}.svc.cluster.local", "trafficPolicy": policy}
    return _object("DestinationRule", "networking.istio.io/v1", name, spec)


def _object(kind: str, api_version: str, name: str, spec: Object | None) -> Object:
    metadata = {"name": name, "namespace": NAMESPACE, "labels": {}}
    obj: Object = {"apiVersion": api_version, "kind": kind, "metadata": metadata}
    return obj if spec is None else {**obj, "spec": spec}


@dataclass
class Backend:
    """An HTTP/1.1 server that says who it is and what it got; ``open`` holds answers back."""

    name: str
    port: int = 0
    requests: int = 0
    active: int = 0
    most: int = 0
    open: asyncio.Event = field(default_factory=asyncio.Event)
    arrived: asyncio.Event = field(default_factory=asyncio.Event)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Answer the requests of one connection."""
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                first, *lines = head.decode("latin-1").strip().split("\r\n")
                headers = dict(line.lower().split(": ", 1) for line in lines if ": " in line)
                body = await reader.readexactly(int(headers.get("content-length", 0)))
                answer = await self._answer(first, headers, body)
                size = len(answer)
                writer.write(b"HTTP/1.1 200 OK\r\ncontent-length: %d\r\n\r\n%b" % (size, answer))
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()

    async def _answer(self, first: str, headers: dict[str, str], body: bytes) -> bytes:
        self.requests += 1
        self.active += 1
        self.most = max(self.most, self.active)
        self.arrived.set()
        try:
            await self.open.wait()
        finally:
            self.active -= 1
        said = {"backend": self.name, "line": first, "headers": headers, "body": body.decode()}
        return orjson.dumps(said)


@asynccontextmanager
async def backend(name: str, *, held: bool = False) -> AsyncIterator[Backend]:
    """Run a backend on a free port."""
    one = Backend(name)
    if not held:
        one.open.set()
    tasks: set[asyncio.Task[None]] = set()

    def connected(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        task = asyncio.ensure_future(one.serve(reader, writer))
        tasks.add(task)
        task.add_done_callback(tasks.discard)

    server = await asyncio.start_server(connected, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    try:
        yield one
    finally:
        server.close()
        for task in list(tasks):
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
        await server.wait_closed()


@asynccontextmanager
async def http2_server(app: Callable[[Any, Any], Any] | None = None) -> AsyncIterator[int]:
    """A server that speaks HTTP/2 in the clear and nothing else."""
    port = free_port()

    async def says_its_version(scope: Any, protocol: Any) -> None:
        protocol.response_str(200, [], f"HTTP/{scope.http_version}")

    server = Server(
        app or says_its_version,
        port=port,
        interface=Interfaces.RSGI,
        http=HTTPModes.http2,
        log_enabled=False,
    )
    task = asyncio.create_task(server.serve())
    try:
        async with asyncio.timeout(5):
            while True:
                try:
                    _, writer = await asyncio.open_connection("127.0.0.1", port)
                except OSError:
                    await asyncio.sleep(0.01)
                else:
                    writer.close()
                    break
        yield port
    finally:
        server.stop()  # type: ignore[no-untyped-call]
        await task


class Bench:
    """A gateway that follows objects given by hand."""

    def __init__(
        self,
        root: Path,
        options: MeshOptions | None = None,
        ports: MeshPorts | None = None,
        envoy: Path | None = None,
    ) -> None:
        self.objects = MeshObjects()
        self.findings: list[Finding] = []
        self.ports = ports or MeshPorts(free_port(), free_port(), free_port())
        self.activator_socket = root / "activator.sock"
        self.paths = MeshPaths(root / "mesh", run=root, log=root / "envoy.log")
        self.gateway = Gateway(
            self.objects,
            self.paths,
            self.ports,
            activator_socket=self.activator_socket,
            envoy=envoy,
            options=options,
            report=self.findings.append,
        )
        self.client = httpx.AsyncClient(
            base_url=f"http://127.0.0.1:{self.ports.ingress}",
            trust_env=False,
            timeout=10,
            limits=httpx.Limits(max_connections=200),
        )

    def apply_before_start(self, *objects: Object) -> None:
        """Add objects to what Envoy starts with."""
        for obj in objects:
            self.objects.put(obj)

    def apply(self, *objects: Object) -> None:
        """Add or change objects, as an informer would."""
        for obj in objects:
            self.objects.put(obj)
            self.gateway.changed(obj)

    def remove(self, *objects: Object) -> None:
        """Take objects away."""
        for obj in objects:
            self.objects.remove(obj)
            self.gateway.changed(obj)

    async def settle(self) -> None:
        """Wait until Envoy has it all."""
        assert await self.gateway.settled()

    async def ask(self, name: str, path: str = "/", **kwargs: Any) -> httpx.Response:
        """Send a request to ``<name>.default.localhost``, or to a whole host with a dot."""
        host = name if "." in name else f"{name}.{NAMESPACE}.localhost"
        headers = {"host": host, **kwargs.pop("headers", {})}
        method = kwargs.pop("method", "GET")
        return await self.client.request(method, path, headers=headers, **kwargs)

    async def stats(self) -> ClusterStats:
        """Statistics of Service ``a``."""
        return (await self.gateway.stats()).get(KEY, ClusterStats())

    async def answered_by(self, name: str, count: int = 1) -> Counter[str]:
        """Ask many times; who answered how often."""
        seen: Counter[str] = Counter()
        for _ in range(count):
            response = await self.ask(name)
            seen[response.json()["backend"] if response.status_code == 200 else "failed"] += 1
        return seen

    async def until(self, check: Callable[[], Any], within_s: float = 5.0) -> float:
        """Wait until an awaitable check holds; the seconds it took."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        async with asyncio.timeout(within_s):
            while not await check():
                await asyncio.sleep(0.001)
        return loop.time() - began


@asynccontextmanager
async def running(bench: Bench) -> AsyncIterator[Bench]:
    """Start a bench and stop it."""
    try:
        await bench.gateway.start()
        yield bench
    finally:
        await bench.client.aclose()
        await bench.gateway.stop()


KEY = Key(NAMESPACE, "a")
