"""Envoy's admin interface, over its unix socket."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import httpx
import orjson

from rouse.embedded.mesh.translate.names import key_of_cluster
from rouse.errors import EngineError
from rouse.kube.objects import Key

__all__ = ["Admin", "ClusterStats"]

_TIMEOUT_S: Final = 5.0
_CLUSTERS: Final = r"^cluster\.outbound\|\d+\|\|.*\.upstream_rq_(active|pending_active|total)$"
_CLUSTER_STAT: Final = re.compile(r"cluster\.(.+)\.upstream_rq_(active|pending_active|total)")
_FILES: Final = (
    r"^(cluster_manager\.cds|listener_manager\.lds|http\.\w+\.rds\.\w+"
    r"|.*http_filter\.rouse-\w+)"
)
_VERSIONS: Final = _FILES + r"\.version_text$"
_VERSION_STAT: Final = re.compile(r'(\S+)\.version_text: "(.*)"')
_REFUSALS: Final = _FILES + r"\.update_rejected$"
_IN_FLIGHT: Final = r"^http\.(ingress|local)\.downstream_rq_active$"


@dataclass(frozen=True, slots=True)
class ClusterStats:
    """Requests of one Service: in flight or waiting in the gateway now, and ever begun."""

    active: int = 0
    total: int = 0


class Admin:
    """Asks Envoy. Every method is one request; raises EngineError when Envoy does not answer."""

    def __init__(self, socket: Path) -> None:
        self._http = httpx.AsyncClient(
            transport=httpx.AsyncHTTPTransport(uds=str(socket)),
            base_url="http://envoy",
            timeout=_TIMEOUT_S,
            trust_env=False,
        )

    async def aclose(self) -> None:
        """Close the connections."""
        await self._http.aclose()

    async def is_live(self) -> bool:
        """Whether Envoy has its first configuration and serves; False when it cannot be asked."""
        try:
            return (await self._http.get("/ready")).status_code == httpx.codes.OK
        except httpx.TransportError:
            return False

    async def cluster_stats(self) -> dict[Key, ClusterStats]:
        """Return the statistics of Services that ever had a request; ports are added up.

        ``active`` counts waiting requests too. ``total`` falls when Envoy is restarted.
        """
        found: dict[Key, tuple[int, int]] = {}
        for name, value in (await self._stats(_CLUSTERS)).items():
            stat = _CLUSTER_STAT.fullmatch(name)
            key = key_of_cluster(stat[1]) if stat else None
            if stat is None or key is None:
                continue
            active, total = found.get(key, (0, 0))
            if stat[2] == "total":
                found[key] = active, total + value
            else:
                found[key] = active + value, total
        return {key: ClusterStats(active, total) for key, (active, total) in found.items()}

    async def versions(self) -> dict[str, str]:
        """Return the accepted version of each file: ``cds``, ``lds``, ``rds.ingress``..."""
        text = await self._get("/stats", {"filter": _VERSIONS, "type": "TextReadouts"})
        return {
            _short(found[1]): found[2]
            for line in text.decode().splitlines()
            if (found := _VERSION_STAT.fullmatch(line))
        }

    async def refusals(self) -> dict[str, int]:
        """Return how often Envoy refused each file."""
        counts = await self._stats(_REFUSALS)
        return {_short(name.rpartition(".")[0]): count for name, count in counts.items()}

    async def in_flight(self) -> int:
        """Return the number of requests the gateways have not answered yet."""
        return sum((await self._stats(_IN_FLIGHT)).values())

    async def drain(self) -> None:
        """Close the listening sockets; requests in flight go on."""
        await self._request("POST", "/drain_listeners", {})

    async def reopen_logs(self) -> None:
        """Make Envoy open its log file anew, after it was renamed."""
        await self._request("POST", "/reopen_logs", {})

    async def _stats(self, pattern: str) -> dict[str, int]:
        query = {"filter": pattern, "format": "json", "usedonly": ""}
        raw = await self._get("/stats", query)
        listed = orjson.loads(raw)["stats"]
        return {stat["name"]: stat["value"] for stat in listed if "name" in stat}

    async def _get(self, path: str, query: Mapping[str, str]) -> bytes:
        return await self._request("GET", path, query)

    async def _request(self, method: str, path: str, query: Mapping[str, str]) -> bytes:
        try:
            response = await self._http.request(method, path, params=dict(query))
        except httpx.TransportError as error:
            raise EngineError(f"Envoy does not answer on its admin socket: {error!r}") from error
        if response.status_code != httpx.codes.OK:
            raise EngineError(f"Envoy's admin answered {response.status_code} to {path}")
        return response.content


def _short(stat: str) -> str:
    """``cluster_manager.cds`` -> ``cds``; ``http.ingress.rds.ingress`` -> ``rds.ingress``."""
    parts = stat.split(".")
    return ".".join(parts[-2:]) if "rds" in parts else parts[-1]
