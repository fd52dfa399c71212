"""The status of VirtualServices: whether the gateway has them, as Istio can be told to write.

Who waits for `Reconciled` knows that a request sent now meets the routes of that generation.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Iterable, Mapping
from datetime import UTC, datetime
from typing import Final

from rouse.embedded.mesh.objects import MeshObjects
from rouse.embedded.mesh.translate.problems import UNSUPPORTED, Finding
from rouse.errors import ApiError, NotFoundError
from rouse.kube.client import KubeClient
from rouse.kube.objects import Key, Object, key_of
from rouse.kube.resources import VIRTUAL_SERVICES

__all__ = ["StatusWriter", "make_status"]

_LOG: Final = logging.getLogger(__name__)
_KIND: Final = "VirtualService"
_CONDITION: Final = "Reconciled"
_SETTLE_S: Final = 5.0
_RETRY_S: Final = 1.0


def make_status(generation: int, findings: Iterable[Finding], now: datetime) -> Object:
    """The status of a VirtualService whose routes are in effect, or refused for the findings."""
    condition: Object = {
        "type": _CONDITION,
        "status": "True",
        "lastTransitionTime": now.strftime("%Y-%m-%dT%H:%M:%SZ"),
    }
    # What is not supported is left out of the routes; the rest of them is in effect.
    refusals = [finding for finding in findings if finding.reason != UNSUPPORTED]
    if refusals:
        message = "; ".join(sorted(finding.message for finding in refusals))
        condition |= {"status": "False", "reason": refusals[0].reason, "message": message}
    return {"observedGeneration": generation, "conditions": [condition]}


def is_told(virtual_service: Object, status: Mapping[str, object]) -> bool:
    """Whether its status says so already, whenever it was written."""
    found = virtual_service.get("status") or {}
    return found.get("observedGeneration") == status["observedGeneration"] and _without_times(
        found
    ) == _without_times(status)


class StatusWriter:
    """Writes the statuses that are due whenever the gateway has settled."""

    def __init__(
        self,
        client: KubeClient,
        objects: MeshObjects,
        *,
        settled: Callable[[float], Awaitable[bool]],
        findings: Callable[[], Iterable[Finding]],
    ) -> None:
        self._client = client
        self._objects = objects
        self._settled = settled
        self._findings = findings
        self._due = asyncio.Event()
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Look at every VirtualService, then at what changes."""
        self._due.set()
        self._task = asyncio.create_task(self._run(), name="mesh status")

    async def stop(self) -> None:
        """Write no more."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.gather(self._task, return_exceptions=True)

    def changed(self) -> None:
        """Note that a VirtualService may have changed."""
        self._due.set()

    async def _run(self) -> None:
        while True:
            await self._due.wait()
            self._due.clear()
            try:
                await self._write_due()
            except ApiError as error:
                _LOG.warning("statuses of VirtualServices cannot be written yet: %s", error)
                self._due.set()
                await asyncio.sleep(_RETRY_S)

    async def _write_due(self) -> None:
        # Taken before the wait: what settles is at least these generations.
        generations = {
            key_of(found): found["metadata"].get("generation", 0)
            for found in self._objects.all(_KIND)
        }
        if not await self._settled(_SETTLE_S):
            self._due.set()
            await asyncio.sleep(_RETRY_S)
            return
        findings: dict[Key, list[Finding]] = {}
        for finding in self._findings():
            if finding.kind == _KIND:
                findings.setdefault(finding.key, []).append(finding)
        for key, generation in generations.items():
            found = self._objects.get(_KIND, key)
            if found is None or found["metadata"].get("generation", 0) != generation:
                continue
            status = make_status(generation, findings.get(key, ()), datetime.now(UTC))
            if not is_told(found, status):
                await self._write(key, status)

    async def _write(self, key: Key, status: Object) -> None:
        try:
            await self._client.patch(
                VIRTUAL_SERVICES,
                key.name,
                {"status": status},
                namespace=key.namespace,
                subresource="status",
            )
        except NotFoundError:
            return


def _without_times(status: Mapping[str, object]) -> list[dict[str, object]]:
    conditions = status.get("conditions")
    return [
        {name: value for name, value in condition.items() if name != "lastTransitionTime"}
        for condition in (conditions if isinstance(conditions, list) else [])
    ]
