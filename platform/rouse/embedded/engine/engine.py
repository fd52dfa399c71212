"""The engine's process: owns the API server, the controllers and Envoy; runs Knative and the node.

Start-up is what can be done at once, done at once: Envoy and the warm parents come up while the
controllers list their first objects.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import AsyncExitStack, asynccontextmanager
from typing import Final

from rouse import __version__
from rouse.authorizer import Authorizer
from rouse.embedded.engine.child import Child
from rouse.embedded.engine.daemon import EngineOptions
from rouse.embedded.engine.models import make_model_keeper
from rouse.embedded.engine.state import EngineLock, EngineState, process_start
from rouse.embedded.home import Home
from rouse.embedded.knative import KnativeEngine
from rouse.embedded.mesh import Mesh, MeshPaths, MeshPorts
from rouse.embedded.node import Node, NodePaths
from rouse.embedded.ports import free_port
from rouse.kube.client import KubeClient
from rouse.kube.config import connect, load_kubeconfig
from rouse.kube.events import EventRecorder

__all__ = ["run"]

_LOG: Final = logging.getLogger(__name__)
_PART_TIMEOUT_S: Final = 30.0
_STOP_GRACE_S: Final = 10.0


async def run(
    home: Home, options: EngineOptions, *, began: float, ready: Callable[[], None]
) -> None:
    """Run the engine until SIGTERM or SIGINT. ``began``: `time.monotonic` at the process's start.

    Raises EngineError when a part does not start; what had started is stopped again.
    """
    stopping = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGTERM, signal.SIGINT):
        loop.add_signal_handler(number, stopping.set)
    async with AsyncExitStack() as stack:
        stack.enter_context(EngineLock(home))
        stack.callback(home.state_file.unlink, missing_ok=True)
        await _start_parts(home, options, stack)
        state = EngineState(
            pid=os.getpid(),
            start=process_start(os.getpid()) or 0,
            api_port=options.api_port,
            gateway_port=options.gateway_port,
            up_seconds=time.monotonic() - began,
            version=__version__,
        )
        state.write(home)
        _LOG.info("ready after %.2f s", state.up_seconds)
        ready()
        await stopping.wait()
        _LOG.info("stopping")


async def _start_parts(home: Home, options: EngineOptions, stack: AsyncExitStack) -> None:
    api = Child(
        "API server",
        [
            *(sys.executable, "-m", "rouse.embedded.apiserver"),
            *(f"--home={home.root}", f"--port={options.api_port}"),
        ],
        home.logs / "apiserver.log",
    )
    await stack.enter_async_context(_started(api.start(timeout_s=_PART_TIMEOUT_S), api.stop))
    controllers = Child(
        "controllers",
        [sys.executable, "-m", "rouse", "controller", f"--kubeconfig={home.kubeconfig}"],
        home.logs / "controllers.log",
    )
    client = connect(load_kubeconfig(home.kubeconfig), field_manager="rouse-engine")
    stack.push_async_callback(client.aclose)
    async with asyncio.TaskGroup() as starting:
        starting.create_task(_enter(stack, controllers))
        starting.create_task(_start_engine(home, options, client, stack))


async def _enter(stack: AsyncExitStack, child: Child) -> None:
    stack.push_async_callback(child.stop)
    await child.start(timeout_s=_PART_TIMEOUT_S)


async def _start_engine(
    home: Home, options: EngineOptions, client: KubeClient, stack: AsyncExitStack
) -> None:
    """The node, the mesh and Knative, in this process; stopped in the opposite order."""
    events = EventRecorder(client, "rouse-node")
    await events.start()
    stack.push_async_callback(events.stop)
    node_paths = NodePaths(home.root, run=home.run)
    ports = MeshPorts(ingress=options.gateway_port, local=free_port(), activator=free_port())
    node = Node(client, node_paths, events=events, proxy=f"http://{ports.host}:{ports.local}")
    stack.push_async_callback(node.stop, grace_s=_STOP_GRACE_S)
    await node.start()
    keeper = make_model_keeper(client, node.name, home.models)
    stack.push_async_callback(keeper.stop)
    await keeper.start()
    # Importing a framework takes the longest of all: it begins first.
    for framework in options.warm:
        node.warm_up_framework(framework)
    activator_socket = home.run / "activator.sock"
    paths = MeshPaths(home.mesh, run=home.run, log=home.logs / "envoy.log")
    authorizer = Authorizer(client, paths.authorizer_socket)
    stack.push_async_callback(authorizer.stop)
    await authorizer.start()
    mesh = Mesh(
        client,
        paths,
        ports,
        activator_socket=activator_socket,
    )
    knative = KnativeEngine(
        client, node, mesh, activator_port=ports.activator, activator_socket=activator_socket
    )
    stack.push_async_callback(mesh.stop)
    await mesh.start()
    stack.push_async_callback(knative.stop)
    await knative.start()


@asynccontextmanager
async def _started(
    start: Awaitable[None], stop: Callable[[], Awaitable[None]]
) -> AsyncIterator[None]:
    try:
        await start
        yield
    finally:
        await stop()
