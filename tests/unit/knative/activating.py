"""An activator over replicas in memory, with or without its server."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

from rouse.coldstart import Activation
from rouse.embedded.knative.activator import Activator
from rouse.embedded.knative.activator_server import ActivatorApp, ActivatorServer
from rouse.embedded.knative.replicas import Replicas
from rouse.kube.objects import Key, Object
from tests.unit.knative.harness import FakeClock, MemoryNode


def deployment(name: str = "iris-00001-deployment", replicas: int = 0) -> Object:
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {"name": name, "namespace": "default", "uid": f"uid of {name}"},
        "spec": {
            "replicas": replicas,
            "template": {
                "metadata": {"labels": {"app": "iris"}},
                "spec": {"containers": [{"name": "main", "image": "x"}]},
            },
        },
    }


class Bench:
    """Pokes want one replica; the test says when it is ready or crashes."""

    def __init__(self, *, queue_limit: int = 1000, timeout_s: float = 5.0) -> None:
        self.node = MemoryNode(auto=False)
        self.clock = FakeClock()
        self.replicas = Replicas(self.node)
        self.key = Key("default", "iris-00001")
        self.deployment = Key("default", "iris-00001-deployment")
        self.replicas.track(deployment())
        self.pokes = 0
        self.recorded: list[tuple[Key, Activation]] = []
        self.activator = Activator(
            self.replicas,
            self.clock,
            timeout_of=lambda key: timeout_s if key == self.key else None,
            poke=self._poke,
            record=lambda key, activation: self.recorded.append((key, activation)),
            queue_limit=queue_limit,
        )

    def _poke(self, key: Key) -> None:
        self.pokes += 1
        if key == self.key and self.replicas.wanted(self.deployment) == 0:
            self.replicas.scale_to(self.deployment, 1)

    def ready(self) -> None:
        for key in self.node.launched:
            self.node.become_ready(key)

    @property
    def port(self) -> int | None:
        return self.node.pods[self.node.launched[-1]].port

    def crash(self, times: int, *log: str) -> None:
        self.node.crash(self.node.launched[-1], times, *log)

    async def until_held(self, count: int) -> None:
        async with asyncio.timeout(10):
            while self.activator.held(self.key) != count:
                await asyncio.sleep(0.002)

    @asynccontextmanager
    async def served(self, folder: Path) -> AsyncIterator[Path]:
        """The socket of a running server."""
        app = ActivatorApp(
            self.activator,
            lambda host: self.key if host.startswith("iris-00001.") else None,
        )
        server = ActivatorServer(app, folder / "a.sock")
        await server.start()
        try:
            yield folder / "a.sock"
        finally:
            await server.stop()
