"""Helpers of the node's tests: images that stand for small scripts, and a watched node."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import httpx

from rouse.embedded.node import LocalCommand, Node, NodePaths, PodState, WarmPool
from rouse.embedded.node.restarts import RestartBackoff
from rouse.kube import KubeClient

HERE = Path(__file__).parent
SERVER = ("{python}", str(HERE / "fake_framework.py"))

IMAGES = {
    "test/server": LocalCommand(SERVER),
    "test/listener": LocalCommand(SERVER, listen=True),
    "test/warm": LocalCommand(SERVER, warm=True, listen=True),
    "test/dying": LocalCommand((*SERVER, "--die"), warm=True, listen=True),
    "test/deaf": LocalCommand((*SERVER, "--deaf"), warm=True, listen=True),
    "test/garbage": LocalCommand((*SERVER, "--garbage"), warm=True, listen=True),
    "test/shell": LocalCommand(("sh", "-c")),
}

MakePod = Callable[..., dict[str, Any]]


def pod(
    image: str = "test/warm:v1", name: str = "iris-1", *args: str, **container: Any
) -> dict[str, Any]:
    """A pod with one serving container; ``args`` are added to its own."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": name, "namespace": "default"},
        "spec": {
            "nodeName": "rouse-local",
            "containers": [
                {
                    "name": "kserve-container",
                    "image": image,
                    "args": ["--model_name=iris", "--port=8080", *args],
                    "ports": [{"containerPort": 8080}],
                    **container,
                }
            ],
        },
    }


class Watched:
    """A node, and the states its subscribers saw."""

    def __init__(self, node: Node, paths: NodePaths, warm: WarmPool) -> None:
        self.node = node
        self.warm = warm
        self.paths = paths
        self.command = list(SERVER)
        self.states: list[PodState] = []
        self._changed = asyncio.Event()
        node.subscribe(self._on_state)

    def _on_state(self, state: PodState) -> None:
        self.states.append(state)
        self._changed.set()

    async def until(
        self, holds: Callable[[PodState], bool], name: str = "iris-1", timeout: float = 20.0
    ) -> PodState:
        async with asyncio.timeout(timeout):
            while True:
                state = self.node.status("default", name)
                if state is not None and holds(state):
                    return state
                self._changed.clear()
                with suppress(TimeoutError):  # a line of output is no change of state
                    async with asyncio.timeout(0.05):
                        await self._changed.wait()

    async def ready(self, name: str = "iris-1") -> PodState:
        return await self.until(lambda state: state.ready, name)


def unreachable_client() -> KubeClient:
    def refuse(request: httpx.Request) -> httpx.Response:
        return httpx.Response(503, content=json.dumps({"kind": "Status", "message": "away"}))

    transport = httpx.MockTransport(refuse)
    return KubeClient(httpx.AsyncClient(transport=transport, base_url="https://rouse.test"))


def quick_backoff() -> RestartBackoff:
    return RestartBackoff(initial=0.05, maximum=0.2)


def alive(pid: int) -> bool:
    """Whether a process runs; a zombie does not."""
    try:
        return "\nState:\tZ" not in Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return False


async def gone(pid: int) -> None:
    """Until a process has ended."""
    async with asyncio.timeout(5):
        while alive(pid):
            await asyncio.sleep(0.01)


async def answer(state: PodState, path: str = "/") -> str:
    """What the replica says."""
    async with httpx.AsyncClient() as client:
        response = await client.get(f"http://{state.host}:{state.port}{path}")
        return response.text
