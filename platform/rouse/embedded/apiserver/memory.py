"""A complete server in this process, for tests of anything that talks to the Kubernetes API."""

from __future__ import annotations

from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from datetime import datetime
from functools import cache
from pathlib import Path

import httpx

from rouse.embedded.apiserver.admission import Plugin
from rouse.embedded.apiserver.admission_config import settings_admission
from rouse.embedded.apiserver.admission_kserve import model_admission
from rouse.embedded.apiserver.admission_pods import pod_admission
from rouse.embedded.apiserver.bootstrap import bootstrap, documents
from rouse.embedded.apiserver.build import build_server, utc_now
from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.server import ApiServer
from rouse.embedded.apiserver.store import Store
from rouse.embedded.apiserver.transport import ApiServerTransport
from rouse.manifests import manifests_dir

__all__ = ["memory_api"]


@asynccontextmanager
async def memory_api(
    path: str | Path = ":memory:",
    *,
    manifests: bool = True,
    logs: Path | None = None,
    admission: Sequence[Callable[[Store], Plugin]] = (
        settings_admission,
        model_admission,
        pod_admission,
    ),
    clock: Callable[[], datetime] = utc_now,
) -> AsyncIterator[tuple[ApiServer, httpx.AsyncClient]]:
    """A started, bootstrapped server and a client on it.

    ``path`` is the SQLite file, in memory by default; ``manifests=False`` leaves out the CRDs,
    runtimes and settings that ship with Rouse.
    """
    server = build_server(str(path), logs=logs, admission=admission, clock=clock)
    await server.start()
    try:
        await bootstrap(server, manifests_dir() if manifests else None, _documents)
        server.admit_by_webhooks()
        transport = ApiServerTransport(server)
        async with httpx.AsyncClient(transport=transport, base_url="https://rouse.test") as client:
            yield server, client
    finally:
        await server.stop()


@cache
def _documents(body: bytes) -> Sequence[Object | None]:
    """Read once: a run of tests makes hundreds of servers, and most of that is reading YAML."""
    return list(documents(body))
