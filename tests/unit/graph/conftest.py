"""Services and routers that end with their test."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import ExitStack
from typing import Any

import httpx
import pytest

from tests.unit.graph.doubles import Handler, Reply, Router, Service, running


@pytest.fixture
async def service() -> AsyncIterator[Callable[..., Awaitable[Service]]]:
    """Starts services; they end with the test."""
    servers: list[tuple[asyncio.Server, Service]] = []

    async def start(reply: Reply | Handler | None = None) -> Service:
        made = Service()
        if callable(reply):
            made.handler = reply
        elif reply is not None:
            made.reply = reply
        server = await asyncio.start_server(made.serve, "127.0.0.1", 0)
        servers.append((server, made))
        made.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/v1/models/m:predict"
        return made

    yield start
    for server, made in servers:
        server.close()
        await made.leave()


@pytest.fixture
def router() -> Iterator[Callable[..., Router]]:
    """Starts router processes; they end with the test."""
    with ExitStack() as stack:

        def start(
            graph: dict[str, Any],
            *flags: str,
            env: dict[str, str] | None = None,
            sock: socket.socket | None = None,
        ) -> Router:
            return stack.enter_context(running(graph, *flags, env=env or {}, sock=sock))

        yield start


@pytest.fixture
async def http() -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(timeout=20) as client:
        yield client
