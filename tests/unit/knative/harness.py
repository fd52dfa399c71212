"""The engine on an API in this process, with a node and a mesh that live in memory."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Iterable, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.knative import KnativeEngine
from rouse.errors import NotFoundError
from rouse.kube.client import EventType, KubeClient, PatchKind
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, Object, key_of
from rouse.kube.resources import CONFIG_MAPS, ENDPOINT_SLICES, PODS, VIRTUAL_SERVICES, Resource

ACTIVATOR_PORT = 9999
TIMINGS = {"process": 0.004, "import": 0.0, "load": 0.006, "ready": 0.002}


@dataclass(frozen=True)
class Ended:
    exit_code: int
    reason: str = "Error"
    message: str = ""
    started_at: float = 0.0
    finished_at: float = 0.0


@dataclass(frozen=True)
class ContainerState:
    ended: Ended | None = None
    last: Ended | None = None


@dataclass(frozen=True)
class PodState:
    namespace: str
    name: str
    phase: str = "Pending"
    ready: bool = False
    host: str = "127.0.0.1"
    port: int | None = None
    ports: Mapping[int, int] = field(default_factory=dict)
    timings: Mapping[str, float] = field(default_factory=dict)
    restarts: int = 0
    crashes: int = 0
    reason: str = ""
    message: str = ""
    log_tail: tuple[str, ...] = ()
    containers: tuple[ContainerState, ...] = ()


class FakeClock:
    """Stands still until it is told to go."""

    def __init__(self) -> None:
        self.seconds = 1000.0
        self.set_back = 0.0

    def now(self) -> float:
        return self.seconds

    def utc(self) -> datetime:
        return datetime(2026, 11, 21, 8, 0, tzinfo=UTC) + timedelta(
            seconds=self.seconds - self.set_back
        )

    def pass_(self, seconds: float) -> None:
        self.seconds += seconds


class MemoryNode:
    """Pods as entries of a dict. ``auto``: a launched pod becomes ready by itself, soon."""

    def __init__(self, *, auto: bool = True) -> None:
        self.auto = auto
        self.launched: list[Key] = []
        self.stopped: list[Key] = []
        self.warmed: list[Object] = []
        self.pods: dict[Key, PodState] = {}
        self._callbacks: list[Callable[[PodState], None]] = []
        self._next_port = 20000

    def launch(self, pod: Object) -> None:
        key = key_of(pod)
        if key in self.pods:
            return
        self.launched.append(key)
        self.pods[key] = PodState(*key)
        if self.auto:
            asyncio.get_running_loop().call_later(0.005, self.become_ready, key)

    def become_ready(self, key: Key) -> None:
        if key in self.pods:
            self._next_port += 1
            self.change(
                key,
                phase="Running",
                ready=True,
                port=self._next_port,
                ports={8080: self._next_port},
                timings=TIMINGS,
            )

    def crash(self, key: Key, times: int, *log: str) -> None:
        self.change(
            key,
            phase="Running",
            ready=False,
            restarts=times,
            crashes=times + 1,
            reason="CrashLoopBackOff",
            log_tail=log,
            containers=(ContainerState(last=Ended(1)),),
        )

    def change(self, key: Key, **changes: object) -> None:
        self.pods[key] = replace(self.pods[key], **changes)  # type: ignore[arg-type]
        for callback in self._callbacks:
            callback(self.pods[key])

    def status(self, namespace: str, name: str) -> PodState | None:
        return self.pods.get(Key(namespace, name))

    def subscribe(self, callback: Callable[[PodState], None]) -> None:
        self._callbacks.append(callback)

    async def stop_pod(self, namespace: str, name: str, grace_s: float) -> None:
        key = Key(namespace, name)
        self.stopped.append(key)
        self.pods.pop(key, None)

    def warm_up(self, pod_template: Object) -> None:
        self.warmed.append(pod_template)

    def on_pod(self, client: KubeClient, tasks: set[asyncio.Task[None]]) -> Callable[..., None]:
        """What the node does about records: start what has no process, end what is deleted."""

        def handler(type_: EventType, pod: Object) -> None:
            key = key_of(pod)
            if type_ is EventType.DELETED:
                self.pods.pop(key, None)
            elif pod["metadata"].get("deletionTimestamp"):
                if key in self.pods and key not in self.stopped:
                    self.stopped.append(key)
                    task = asyncio.get_running_loop().create_task(self._delete(client, key))
                    tasks.add(task)
                    task.add_done_callback(tasks.discard)
            else:
                self.launch(pod)

        return handler

    async def _delete(self, client: KubeClient, key: Key) -> None:
        try:
            await client.delete(PODS, key.name, key.namespace, grace_seconds=0)
        except NotFoundError:
            pass


@dataclass
class Stats:
    active: int = 0
    total: int = 0


class MemoryMesh:
    """Follows the EndpointSlices of the API, as the gateway does."""

    def __init__(self, slices: Informer) -> None:
        self._slices = slices
        self.counts: dict[Key, Stats] = {}
        self.asked = 0
        self._changed = asyncio.Event()
        self.deaf = False
        self.mute = False
        slices.add_handler(lambda *_: self._changed.set())

    async def stats(self) -> Mapping[Key, Stats]:
        self.asked += 1
        await asyncio.sleep(0)
        return {key: replace(one) for key, one in self.counts.items()}

    def endpoints(self, key: Key) -> frozenset[tuple[str, int]]:
        return frozenset(
            (address, one["ports"][0]["port"])
            for one in self._slices.list(key.namespace, {"kubernetes.io/service-name": key.name})
            for endpoint in one.get("endpoints") or ()
            for address in endpoint["addresses"]
        )

    async def serving(
        self, key: Key, endpoints: frozenset[tuple[str, int]], timeout_s: float
    ) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while self.deaf or self.endpoints(key) != endpoints:
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def reaching(self, key: Key, endpoint: tuple[str, int], timeout_s: float) -> bool:
        try:
            async with asyncio.timeout(timeout_s):
                while self.deaf or endpoint not in self.endpoints(key):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    async def avoiding(
        self, services: Iterable[Key], endpoints: frozenset[tuple[str, int]], timeout_s: float
    ) -> bool:
        keys = list(services)
        try:
            async with asyncio.timeout(timeout_s):
                while self.deaf or any(self.endpoints(key) & endpoints for key in keys):
                    self._changed.clear()
                    await self._changed.wait()
        except TimeoutError:
            return False
        return True

    def on_route(self, client: KubeClient, tasks: set[asyncio.Task[None]]) -> Callable[..., None]:
        """What the mesh says of a VirtualService once the gateway has it."""

        async def confirm(key: Key, generation: int) -> None:
            status = {
                "observedGeneration": generation,
                "conditions": [{"type": "Reconciled", "status": "True"}],
            }
            try:
                await client.patch(
                    VIRTUAL_SERVICES,
                    key.name,
                    {"status": status},
                    namespace=key.namespace,
                    subresource="status",
                )
            except NotFoundError:
                pass

        def handler(type_: EventType, obj: Object) -> None:
            generation = obj["metadata"]["generation"]
            told = (obj.get("status") or {}).get("observedGeneration")
            if type_ is not EventType.DELETED and told != generation and not self.mute:
                task = asyncio.get_running_loop().create_task(confirm(key_of(obj), generation))
                tasks.add(task)
                task.add_done_callback(tasks.discard)

        return handler


class World:
    """One engine with everything around it."""

    def __init__(
        self,
        client: KubeClient,
        engine: KnativeEngine,
        node: MemoryNode,
        mesh: MemoryMesh,
        clock: FakeClock,
        socket: Path,
    ) -> None:
        self.client, self.engine, self.node = client, engine, node
        self.mesh, self.clock, self.socket = mesh, clock, socket

    async def until(
        self,
        resource: Resource,
        name: str,
        holds: Callable[[Object], object],
        *,
        namespace: str = "default",
        seconds: float = 5,
    ) -> Object:
        """The object once ``holds``; fails with its last state after some seconds."""
        last: Object | None = None
        try:
            async with asyncio.timeout(seconds):
                while True:
                    try:
                        last = await self.client.get(resource, name, namespace)
                        if holds(last):
                            return last
                    except (NotFoundError, KeyError, IndexError, StopIteration):
                        pass
                    await asyncio.sleep(0.005)
        except TimeoutError:
            raise AssertionError(f"{resource} {name} never came to be so: {last}") from None

    async def until_true(self, holds: Callable[[], object], *, seconds: float = 5) -> None:
        async with asyncio.timeout(seconds):
            while not holds():
                await asyncio.sleep(0.002)

    async def seconds(self, count: int) -> None:
        """Let time pass, second by second, as the scaler's own loop would live it."""
        for _ in range(count):
            self.clock.pass_(1)
            await self.engine.scaler.scrape()
            if self.clock.seconds % 2 == 0:
                self.engine.scaler.tick()
            await asyncio.sleep(0.003)

    async def live_until(self, holds: Callable[[], object], *, seconds: float = 10) -> None:
        """Let the clock's seconds pass until ``holds``; ``seconds`` are real ones."""
        async with asyncio.timeout(seconds):
            while not holds():
                await self.seconds(1)


FAST = {
    "target-burst-capacity": "0",
    "stable-window": "6s",
    "scale-to-zero-grace-period": "2s",
}


@asynccontextmanager
async def world(
    tmp_path: Path,
    *,
    auto: bool = True,
    autoscaler: Mapping[str, str] | None = None,
    queue_limit: int = 1000,
    settle_s: float = 2.0,
) -> AsyncIterator[World]:
    """A started engine; its scaler ticks only by ``World.seconds``."""
    async with memory_api() as (_, http):
        client = KubeClient(http)
        await client.patch(
            CONFIG_MAPS,
            "config-autoscaler",
            {"data": dict(FAST if autoscaler is None else autoscaler)},
            namespace="knative-serving",
            kind=PatchKind.MERGE,
        )
        node, clock = MemoryNode(auto=auto), FakeClock()
        slices, pods = Informer(client, ENDPOINT_SLICES), Informer(client, PODS)
        routes = Informer(client, VIRTUAL_SERVICES)
        tasks: set[asyncio.Task[None]] = set()
        pods.add_handler(node.on_pod(client, tasks))
        mesh = MemoryMesh(slices)
        routes.add_handler(mesh.on_route(client, tasks))
        socket = tmp_path / "activator.sock"
        engine = KnativeEngine(
            client,
            node,
            mesh,
            activator_port=ACTIVATOR_PORT,
            activator_socket=socket,
            clock=clock,
            queue_limit=queue_limit,
            settle_s=settle_s,
        )
        engine.scaler.run = _sleep  # type: ignore[method-assign]
        await slices.start()
        await pods.start()
        await routes.start()
        await slices.synced(5)
        await pods.synced(5)
        await engine.start()
        try:
            yield World(client, engine, node, mesh, clock, socket)
        finally:
            await engine.stop()
            await slices.stop()
            await pods.stop()
            await routes.stop()
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)


async def _sleep() -> None:
    await asyncio.Event().wait()


def knative_service(name: str = "iris", **annotations: str) -> Object:
    """A Knative Service as the compiler writes it; annotations with ``_`` for ``-``."""
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": "Service",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "template": {
                "metadata": {
                    "labels": {"component": "predictor"},
                    "annotations": {
                        f"autoscaling.knative.dev/{key.replace('_', '-')}": value
                        for key, value in annotations.items()
                    },
                },
                "spec": {
                    "containers": [
                        {
                            "name": "kserve-container",
                            "image": "ghcr.io/rouse/sklearnserver:v0.1.0",
                            "args": ["--model_name=iris", "--http_port=8080"],
                            "ports": [{"containerPort": 8080, "protocol": "TCP"}],
                        }
                    ]
                },
            }
        },
    }


def condition(obj: Object, type_: str = "Ready") -> tuple[str, str]:
    """(status, reason) of a condition."""
    for one in obj["status"]["conditions"]:
        if one["type"] == type_:
            return one["status"], one.get("reason", "")
    raise KeyError(type_)


def is_ready(obj: Object) -> bool:
    return condition(obj)[0] == "True" and (
        obj["status"]["observedGeneration"] == obj["metadata"]["generation"]
    )


__all__ = [
    "ACTIVATOR_PORT",
    "FAST",
    "TIMINGS",
    "ContainerState",
    "Ended",
    "FakeClock",
    "MemoryMesh",
    "MemoryNode",
    "PodState",
    "Stats",
    "World",
    "condition",
    "is_ready",
    "knative_service",
    "world",
]
