"""A real Prometheus."""

from __future__ import annotations

import asyncio
import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx

from rouse.embedded.ports import free_port

PROMETHEUS = shutil.which("prometheus")


@asynccontextmanager
async def prometheus(folder: Path, file: Path) -> AsyncIterator[httpx.AsyncClient]:
    assert PROMETHEUS is not None
    port = free_port()
    with (folder / "prometheus.log").open("wb") as log:
        process = await asyncio.create_subprocess_exec(
            PROMETHEUS,
            f"--config.file={file}",
            f"--storage.tsdb.path={folder / 'data'}",
            f"--web.listen-address=127.0.0.1:{port}",
            stdout=log,
            stderr=log,
        )
    url = f"http://127.0.0.1:{port}"
    try:
        async with httpx.AsyncClient(base_url=url, trust_env=False, timeout=20) as client:
            async with asyncio.timeout(30):
                while not await _is_ready(client):
                    assert process.returncode is None, (folder / "prometheus.log").read_text()
                    await asyncio.sleep(0.05)
            yield client
    finally:
        process.terminate()
        await process.wait()


async def _is_ready(client: httpx.AsyncClient) -> bool:
    try:
        return (await client.get("/-/ready")).status_code == 200
    except httpx.TransportError:
        return False
