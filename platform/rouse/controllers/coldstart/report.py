"""Asks a model server how its start went: one GET of /metrics, which needs no rights at the API.

Where a mesh or a policy keeps the controller from the pod, the phases inside the process stay
unknown; nothing else does.
"""

from __future__ import annotations

import asyncio
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Final, TypeAlias

import httpx

from rouse.api.inferenceservice.defaults import MAIN_CONTAINER
from rouse.coldstart.gather import parse_report

__all__ = ["Ask", "ask_server", "metrics_url"]

Ask: TypeAlias = Callable[[Mapping[str, Any]], Awaitable[Mapping[str, float]]]
"""Given a pod, returns the seconds of its start's phases; empty where they cannot be had."""

_TIMEOUT_S: Final = 2.0
_MOST_BYTES: Final = 1 << 20
_PORT: Final = 8080


def metrics_url(pod: Mapping[str, Any]) -> str | None:
    """Return where a pod's model server tells its metrics; None while it has no address."""
    address = (pod.get("status") or {}).get("podIP")
    if not address:
        return None
    host = f"[{address}]" if ":" in address else address
    for container in (pod.get("spec") or {}).get("containers") or ():
        if container["name"] == MAIN_CONTAINER:
            return f"http://{host}:{container['ports'][0]['containerPort']}/metrics"
    return f"http://{host}:{_PORT}/metrics"


async def ask_server(
    pod: Mapping[str, Any], *, transport: httpx.AsyncBaseTransport | None = None
) -> Mapping[str, float]:
    """Ask once, for two seconds and a megabyte at most; never raises for what a server does."""
    url = metrics_url(pod)
    if url is None:
        return {}
    try:
        async with (
            asyncio.timeout(_TIMEOUT_S),
            httpx.AsyncClient(transport=transport, trust_env=False, timeout=_TIMEOUT_S) as client,
            client.stream("GET", url) as answer,
        ):
            if answer.status_code != httpx.codes.OK:
                return {}
            body = bytearray()
            async for part in answer.aiter_bytes():
                body += part
                if len(body) > _MOST_BYTES:
                    return {}
    except (httpx.HTTPError, httpx.InvalidURL, OSError, TimeoutError):
        return {}
    return parse_report(body.decode(errors="replace"))
