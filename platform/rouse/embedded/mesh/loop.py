"""Objects changed -> translate -> publish, level-based: what is told is only that, not what."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Callable, Iterable
from typing import Final

from rouse.embedded.mesh.endpoints import EndpointTable
from rouse.embedded.mesh.objects import MeshObjects, service_of_slice
from rouse.embedded.mesh.publisher import Publisher
from rouse.embedded.mesh.quarantine import Quarantine
from rouse.embedded.mesh.translate.endpoints import Endpoint
from rouse.embedded.mesh.translate.problems import Finding
from rouse.embedded.mesh.translate.snapshot import Translator
from rouse.errors import EngineError
from rouse.kube.objects import Key, Object

__all__ = ["MeshLoop"]

_LOG: Final = logging.getLogger(__name__)
_RETRY_S: Final = 1.0


class MeshLoop:
    """Follows `MeshObjects`. Endpoints go their own, short way; all else is translated anew."""

    def __init__(
        self,
        objects: MeshObjects,
        publisher: Publisher,
        table: EndpointTable,
        *,
        debounce: float,
        report: Callable[[Finding], None],
    ) -> None:
        self._objects = objects
        self._publisher = publisher
        self._table = table
        self._debounce = debounce
        self._report = report
        self._translator = Translator()
        self._quarantine = Quarantine(objects)
        self._reported: frozenset[Finding] = frozenset()
        self._dirty = asyncio.Event()
        self._idle = asyncio.Event()
        self._slices_of: set[Key] = set()
        self._task: asyncio.Task[None] | None = None

    @property
    def findings(self) -> frozenset[Finding]:
        """What is wrong with the objects as last translated."""
        return self._reported

    def write_all(self, listeners: Iterable[Object]) -> None:
        """Translate the objects as they are and write every file."""
        snapshot = self._translator.translate(self._objects)
        self._publisher.write_all(snapshot, listeners)
        self._report_new(snapshot.findings)

    async def start(self) -> None:
        """Follow changes from now on; first of all, see whether Envoy took what it started with."""
        self._dirty.set()
        self._task = asyncio.create_task(self._run(), name="mesh translation")

    async def stop(self) -> None:
        """Follow no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def changed(self, obj: Object) -> None:
        """Note that an object changed; must be called in the event loop."""
        service = service_of_slice(obj)
        if service is None:
            self._dirty.set()
            self._idle.clear()
            return
        if not self._slices_of:
            asyncio.get_running_loop().call_later(self._debounce, self._flush_endpoints)
        self._slices_of.add(service)

    async def serving(self, key: Key, endpoints: frozenset[Endpoint], timeout: float) -> bool:
        """Wait until Envoy has exactly these endpoints in every cluster of a Service."""
        try:
            async with asyncio.timeout(timeout):
                while not self._serves(key, endpoints):
                    await self._table.changed()
        except TimeoutError:
            return False
        return True

    async def avoiding(
        self, services: Iterable[Key], endpoints: frozenset[Endpoint], timeout: float
    ) -> bool:
        """Wait until Envoy has none of these endpoints in any cluster of these Services."""
        keys = list(services)
        try:
            async with asyncio.timeout(timeout):
                while any(self._uses(key, endpoints) for key in keys):
                    await self._table.changed()
        except TimeoutError:
            return False
        return True

    async def reaching(self, key: Key, endpoint: Endpoint, timeout: float) -> bool:
        """Wait until Envoy has this endpoint in a cluster of a Service."""
        if self._uses(key, frozenset({endpoint})):
            return True
        try:
            async with asyncio.timeout(timeout):
                while not self._uses(key, frozenset({endpoint})):
                    await self._table.changed()
        except TimeoutError:
            return False
        return True

    async def settled(self, timeout: float) -> bool:
        """Wait until all changes noted so far are in effect at Envoy."""
        try:
            async with asyncio.timeout(timeout):
                self._flush_endpoints()
                await self._idle.wait()
        except TimeoutError:
            return False
        return await self._publisher.settled(timeout)

    def _serves(self, key: Key, endpoints: frozenset[Endpoint]) -> bool:
        names = self._publisher.subscriptions(self._translator.clusters_of(key))
        return bool(names) and all(self._table.is_effective(name, endpoints) for name in names)

    def _uses(self, key: Key, endpoints: frozenset[Endpoint]) -> bool:
        names = self._publisher.subscriptions(self._translator.clusters_of(key))
        return any(self._table.accepted(name) & endpoints for name in names)

    def _flush_endpoints(self) -> None:
        services, self._slices_of = self._slices_of, set()
        for service in services:
            found = self._translator.endpoints_of(service, self._objects)
            if all(found.values()):
                self._table.set(found)
            else:
                # Perhaps its last replica went because routes lead elsewhere now: those go first.
                self._dirty.set()
                self._idle.clear()

    async def _run(self) -> None:
        while True:
            if not self._dirty.is_set():
                self._idle.set()
            await self._wait()
            try:
                self._publisher.retire()
                if self._dirty.is_set():
                    await self._step()
            except (EngineError, OSError) as error:
                _LOG.error("the mesh cannot apply a change, trying again: %s", error)
                self._dirty.set()
                await asyncio.sleep(_RETRY_S)

    async def _wait(self) -> None:
        """Wait for a change, or until a cluster is to be retired."""
        due = self._publisher.retirement
        try:
            async with asyncio.timeout_at(due):
                await self._dirty.wait()
        except TimeoutError:
            return
        await asyncio.sleep(self._debounce)

    async def _step(self) -> None:
        self._dirty.clear()
        findings: list[Finding] = []

        async def attempt() -> str:
            snapshot = self._translator.translate(self._quarantine)
            findings[:] = snapshot.findings
            return await self._publisher.publish(
                snapshot, lambda: self._translator.all_endpoints(self._objects)
            )

        await self._quarantine.publish(attempt)
        self._report_new([*findings, *self._quarantine.findings])

    def _report_new(self, findings: Iterable[Finding]) -> None:
        current = frozenset(findings)
        for finding in sorted(current - self._reported, key=str):
            self._report(finding)
        self._reported = current
