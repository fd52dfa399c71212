from __future__ import annotations

from collections.abc import AsyncIterator

import httpx
import pytest

from rouse.embedded.apiserver.memory import memory_api
from rouse.embedded.apiserver.server import ApiServer


@pytest.fixture
async def server_and_client() -> AsyncIterator[tuple[ApiServer, httpx.AsyncClient]]:
    async with memory_api(manifests=False) as pair:
        yield pair


@pytest.fixture
def server(server_and_client: tuple[ApiServer, httpx.AsyncClient]) -> ApiServer:
    return server_and_client[0]


@pytest.fixture
def api(server_and_client: tuple[ApiServer, httpx.AsyncClient]) -> httpx.AsyncClient:
    return server_and_client[1]
