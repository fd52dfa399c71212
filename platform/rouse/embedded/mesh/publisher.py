"""Brings snapshots to Envoy in an order in which no request ever meets a missing cluster.

New clusters and their endpoints first, acknowledged; then the routes; clusters that no route names
any more go last, after a while.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable, Mapping
from typing import Final, TypeAlias

from rouse.embedded.mesh.admin import Admin
from rouse.embedded.mesh.config import MeshPaths
from rouse.embedded.mesh.endpoints import EndpointTable
from rouse.embedded.mesh.files import DiscoveryFile, make_extension, make_route_table
from rouse.embedded.mesh.translate.clusters import eds_name
from rouse.embedded.mesh.translate.endpoints import Endpoint
from rouse.embedded.mesh.translate.names import INGRESS, LOCAL, POLICIES
from rouse.embedded.mesh.translate.snapshot import Snapshot
from rouse.errors import EngineError
from rouse.kube.objects import Object

__all__ = ["Publisher"]

_LOG: Final = logging.getLogger(__name__)
_WARMING_S: Final = 2.0
_CONFIRM_S: Final = 2.0
_POLL_S: Final = 0.002
_ROUTES: Final = "rds."

EndpointsOf: TypeAlias = Mapping[str, frozenset[Endpoint]]
"""Endpoints by the name of their cluster."""


class Publisher:
    """Owns the xDS files and the endpoint table. ``linger`` is in seconds, as is the clock.

    ``refusal`` returns what Envoy last said when it refused a file.
    """

    def __init__(
        self,
        paths: MeshPaths,
        table: EndpointTable,
        admin: Admin,
        *,
        linger: float,
        clock: Callable[[], float],
        refusal: Callable[[], str],
    ) -> None:
        self._table = table
        self._admin = admin
        self._linger = linger
        self._clock = clock
        self._refusal = refusal
        self._files = {
            "lds": DiscoveryFile(paths.listeners),
            "cds": DiscoveryFile(paths.clusters),
            **{name: DiscoveryFile(paths.policy(name)) for name in POLICIES},
            **{f"{_ROUTES}{name}": DiscoveryFile(paths.routes(name)) for name in (INGRESS, LOCAL)},
        }
        self._clusters: dict[str, Object] = {}
        self._retire_at: dict[str, float] = {}
        self._refusals: dict[str, int] = {}
        self._refused: dict[str, str] = {}

    def subscriptions(self, clusters: Iterable[str]) -> list[str]:
        """Return the names under which Envoy asks for the endpoints of these clusters."""
        found = (eds_name(self._clusters[one]) for one in clusters if one in self._clusters)
        return [name for name in found if name is not None]

    def write_all(self, snapshot: Snapshot, listeners: Iterable[Object]) -> None:
        """Write every file, for an Envoy that is about to start."""
        self._table.set(snapshot.endpoints)
        self._clusters = dict(sorted(snapshot.clusters.items()))
        self._files["cds"].write(self._clusters.values())
        self._write_policies(snapshot.policies)
        self._write_routes(snapshot.virtual_hosts)
        self._files["lds"].write(listeners)

    async def publish(self, snapshot: Snapshot, endpoints: Callable[[], EndpointsOf]) -> str:
        """Bring Envoy from whatever it has to this snapshot; returns what `confirm` does.

        ``endpoints`` reads those of the snapshot's clusters again, as they are by then.
        """
        self._table.set({name: some for name, some in snapshot.endpoints.items() if some})
        both = dict(sorted({**self._clusters, **snapshot.clusters}.items()))
        self._clusters = both
        if self._files["cds"].write(both.values()):
            await self._warm(snapshot.clusters)
        if self._write_policies(snapshot.policies):
            # A new route must not be open before its policy is in effect.
            await self.confirm()
        self._write_routes(snapshot.virtual_hosts)
        due = self._clock() + self._linger
        self._retire_at = {
            name: self._retire_at.get(name, due) for name in both if name not in snapshot.clusters
        }
        refusal = await self.confirm()
        # Only now, when no route leads there any more, may the last endpoint of a cluster go. The
        # snapshot's own are old by now: replicas may have come meanwhile, and others gone.
        self._table.set(
            {
                name: some
                for name, some in endpoints().items()
                if some or not snapshot.endpoints.get(name)
            }
        )
        return refusal

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

    async def confirm(self) -> str:
        """Wait until Envoy has every file as written; returns why it refused a route table.

        '' when it refused none. Raises EngineError when Envoy does not take the files in time.
        """
        deadline = self._clock() + _CONFIRM_S
        while behind := await self._behind():
            late = self._clock() > deadline
            await self._note_refusals(behind, any_count=late)
            if late and (silent := [name for name in behind if not self._is_refused(name)]):
                raise EngineError(f"Envoy has not taken {', '.join(silent)} in {_CONFIRM_S:g} s")
            await asyncio.sleep(_POLL_S)
        tables = [name for name in self._files if name.startswith(_ROUTES)]
        return self._refusal() if any(self._is_refused(name) for name in tables) else ""

    async def _note_refusals(self, behind: Iterable[str], *, any_count: bool) -> None:
        """Note which files Envoy refused since the last look, or ever (``any_count``).

        Envoy counts from 0 again after a restart, so a new refusal may not show as a higher count.
        """
        counts = await self._admin.refusals()
        for name in behind:
            if counts.get(name, 0) > (0 if any_count else self._refusals.get(name, 0)):
                self._refused[name] = self._files[name].version
                _LOG.error("Envoy refused %s: %s", self._files[name].path, self._refusal())
        self._refusals = counts

    async def _behind(self) -> list[str]:
        """Return the files Envoy has neither taken nor refused."""
        accepted = await self._admin.versions()
        return [
            name
            for name, file in self._files.items()
            if accepted.get(name) != file.version and not self._is_refused(name)
        ]

    def _is_refused(self, name: str) -> bool:
        return self._refused.get(name) == self._files[name].version

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
            self._files[_ROUTES + listener].write([table])

    def _write_policies(self, policies: Mapping[str, Object]) -> bool:
        """Write the filters that decide who may call; says whether any changed."""
        written = [
            self._files[name].write([make_extension(name, policies[name])]) for name in POLICIES
        ]
        return any(written)

    async def _warm(self, clusters: Iterable[str]) -> None:
        names = self.subscriptions(clusters)
        if not await self._table.effective(names, _WARMING_S):
            _LOG.warning("Envoy did not take the new clusters in %g s; going on", _WARMING_S)
