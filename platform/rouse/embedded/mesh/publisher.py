"""Brings snapshots to Envoy in an order in which no request ever meets a missing cluster.

New clusters and their endpoints first, acknowledged; then the routes; clusters that no route names
any more go last, after a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final

from rouse.embedded.mesh.admin import Admin
from rouse.embedded.mesh.config import MeshPaths
from rouse.embedded.mesh.endpoints import EndpointTable
from rouse.embedded.mesh.files import DiscoveryFile, make_route_table
from rouse.embedded.mesh.translate.clusters import eds_name
from rouse.embedded.mesh.translate.names import INGRESS, LOCAL
from rouse.embedded.mesh.translate.snapshot import Snapshot
from rouse.errors import EngineError
from rouse.kube.objects import Object

__all__ = ["Publisher"]

_LOG: Final = logging.getLogger(__name__)
_WARMING_S: Final = 2.0
_CONFIRM_S: Final = 2.0
_POLL_S: Final = 0.002


class Publisher:
    """Owns the xDS files and the endpoint table. ``linger`` is in seconds, as is the clock."""

    def __init__(
        self,
        paths: MeshPaths,
        table: EndpointTable,
        admin: Admin,
        *,
        linger: float,
        clock: Callable[[], float],
    ) -> None:
        self._table = table
        self._admin = admin
        self._linger = linger
        self._clock = clock
        self._files = {
            "lds": DiscoveryFile(paths.listeners),
            "cds": DiscoveryFile(paths.clusters),
            **{f"rds.{name}": DiscoveryFile(paths.routes(name)) for name in (INGRESS, LOCAL)},
        }
        self._clusters: dict[str, Object] = {}
        self._retire_at: dict[str, float] = {}
        self._refused: dict[str, int] = {}

    def subscriptions(self, clusters: Iterable[str]) -> list[str]:
        """Return the names under which Envoy asks for the endpoints of these clusters."""
        found = (eds_name(self._clusters[one]) for one in clusters if one in self._clusters)
        return [name for name in found if name is not None]

    def write_all(self, snapshot: Snapshot, listeners: Iterable[Object]) -> None:
        """Write every file, for an Envoy that is about to start."""
        self._table.set(snapshot.endpoints)
        self._clusters = dict(sorted(snapshot.clusters.items()))
        self._files["cds"].write(self._clusters.values())
        self._write_routes(snapshot.virtual_hosts)
        self._files["lds"].write(listeners)

    async def publish(self, snapshot: Snapshot) -> None:
        """Bring Envoy from whatever it has to this snapshot."""
        self._table.set(snapshot.endpoints)
        both = dict(sorted({**self._clusters, **snapshot.clusters}.items()))
        self._clusters = both
        if self._files["cds"].write(both.values()):
            await self._warm(snapshot.clusters)
        self._write_routes(snapshot.virtual_hosts)
        due = self._clock() + self._linger
        self._retire_at = {
            name: self._retire_at.get(name, due) for name in both if name not in snapshot.clusters
        }

    @property
    def retirement(self) -> float | None:
        """When `retire` has something to do, by the clock."""
        return min(self._retire_at.values(), default=None)

    def retire(self) -> None:
        """Take away clusters whose time is over."""
        now = self._clock()
        gone = {name for name, due in self._retire_at.items() if due <= now}
        if not gone:
            return
        self._clusters = {name: one for name, one in self._clusters.items() if name not in gone}
        self._retire_at = {name: due for name, due in self._retire_at.items() if name not in gone}
        self._files["cds"].write(self._clusters.values())
        self._table.keep_only(self._clusters)

    async def confirm(self) -> frozenset[str]:
        """Wait until Envoy has every file as written; returns those it refused or ignored."""
        deadline = self._clock() + _CONFIRM_S
        while True:
            accepted = await self._admin.versions()
            behind = [
                name for name, file in self._files.items() if accepted.get(name) != file.version
            ]
            if not behind:
                return frozenset()
            refusals = await self._admin.refusals()
            refused = {
                name for name in behind if refusals.get(name, 0) > self._refused.get(name, 0)
            }
            if refused or self._clock() > deadline:
                self._refused = refusals
                return frozenset(refused or behind)
            await asyncio.sleep(_POLL_S)

    async def reason(self, refused: Iterable[str]) -> str:
        """Return what Envoy says of a refused file."""
        if any(name.startswith("rds") for name in refused):
            return await self._error_state("dynamic_route_configs")
        return "see Envoy's log"

    async def settled(self, timeout: float) -> bool:
        """Wait until files and endpoints are in effect; False when the timeout (s) passes."""
        try:
            async with asyncio.timeout(timeout):
                if await self.confirm():
                    return False
                names = self.subscriptions(self._clusters)
                return await self._table.effective(names, timeout)
        except (TimeoutError, EngineError):
            return False

    def _write_routes(self, virtual_hosts: Mapping[str, list[Object]]) -> None:
        for listener in (INGRESS, LOCAL):
            table = make_route_table(listener, virtual_hosts.get(listener, []))
            self._files[f"rds.{listener}"].write([table])

    async def _warm(self, clusters: Iterable[str]) -> None:
        names = self.subscriptions(clusters)
        if not await self._table.effective(names, _WARMING_S):
            _LOG.warning("Envoy did not take the new clusters in %g s; going on", _WARMING_S)

    async def _error_state(self, resource: str) -> str:
        for config in await self._admin.config_dump(resource):
            error = config.get("error_state")
            if isinstance(error, dict) and error.get("details"):
                return str(error["details"])
        return "no reason given; see Envoy's log"
