"""The agent's process: connect, serve other nodes, work until told to stop."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Mapping, Sequence
from contextlib import AsyncExitStack
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from rouse.agent.agent import Agent, Settings
from rouse.agent.peers import PeerServer, resolve_peers
from rouse.agent.storage import Storage
from rouse.daemon.endpoints import Checks, Ports, serve_endpoints
from rouse.daemon.logs import set_up_logs
from rouse.daemon.loop import stop_signal
from rouse.daemon.process import process_families
from rouse.daemon.registry import render
from rouse.errors import RouseError
from rouse.kube.config import ClusterConfig, connect, load_kubeconfig

__all__ = ["Options", "run", "run_agent"]

logger = logging.getLogger(__name__)

_TOKEN: Final = "ROUSE_PEER_TOKEN"  # noqa: S105 - the variable's name


@dataclass(frozen=True, slots=True)
class Options:
    """How an agent's process runs."""

    node: str
    folder: Path
    budget: int
    """The most bytes that models take."""
    sources: Sequence[str] = ()
    """Caches that are asked before an origin, in this order: folders, or URLs of agents."""
    address: str = ""
    """This node's own address, which is no peer."""
    peer_port: int | None = None
    """Where other nodes are served; None: they are not."""
    token: str = ""
    """The word that agents of the cluster share."""
    twins: bool = False
    """Whether models are translated (see `Storage`)."""
    settings: Settings = field(default_factory=Settings)
    ports: Ports = field(default_factory=Ports)

    @property
    def env(self) -> Mapping[str, str]:
        """What the storage process is told."""
        return {_TOKEN: self.token} if self.token else {}


async def run(config: ClusterConfig, options: Options) -> None:
    """Keep the cache until cancelled or SIGTERM or SIGINT comes.

    Raises `ApiError` when the API cannot be read, `EngineError` when a port is taken.
    """
    async with connect(config) as client, stop_signal() as stop, AsyncExitStack() as stack:
        storage = Storage(options.folder, options.budget, env=options.env, twins=options.twins)

        async def peers() -> Sequence[str]:
            return await resolve_peers(options.sources, own=lambda: {options.address})

        agent = Agent(client, options.node, storage, options.settings, peers=peers)
        checks = Checks(alive=list, ready=lambda: agent.unsynced)
        if options.peer_port is not None:
            server = PeerServer(options.folder, options.token, port=options.peer_port)
            await stack.enter_async_context(server)
        await stack.enter_async_context(
            serve_endpoints(options.ports, lambda: render(process_families()), checks)
        )
        working = asyncio.create_task(agent.run())
        stopping = asyncio.create_task(stop.wait())
        try:
            await asyncio.wait([working, stopping], return_when=asyncio.FIRST_COMPLETED)
            if working.done():
                working.result()
        finally:
            for task in (working, stopping):
                task.cancel()
            await asyncio.gather(working, stopping, return_exceptions=True)


def run_agent(kubeconfig: Path | None, options: Options, *, log_format: str = "text") -> int:
    """Run the agent in this process; return its exit status."""
    set_up_logs(log_format)
    try:
        asyncio.run(run(load_kubeconfig(kubeconfig), options))
    except (RouseError, OSError) as error:
        logger.error("%s", error)
        return 1
    return 0
