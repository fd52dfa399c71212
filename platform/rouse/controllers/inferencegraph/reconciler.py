"""The reconcile of one InferenceGraph: a list of short phases over one `Pass`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, TypeAlias

from rouse.api.inferencegraph.lifecycle import Reason
from rouse.compiler import Compiled, Config
from rouse.compiler.errors import CompileError
from rouse.compiler.graph import compile_graph_object, refuse_graph
from rouse.compiler.needs import explained
from rouse.controllers.inferencegraph.sources import Sources
from rouse.controllers.writing import WITHIN, NotOwnedError, Pass, Writer, observe_owned
from rouse.kube.client import KubeClient
from rouse.kube.controller import Requeue
from rouse.kube.events import EventRecorder
from rouse.kube.objects import Key, key_of

__all__ = ["Reconciler"]


class Reconciler:
    """Brings the API's objects to what an InferenceGraph asks for. Level-based and idempotent.

    ``config`` returns the settings in force; ``clock`` gives the current time in UTC.
    """

    def __init__(
        self,
        client: KubeClient,
        sources: Sources,
        config: Callable[[], Config],
        recorder: EventRecorder,
        *,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sources = sources
        self._config = config
        self._recorder = recorder
        self._clock = clock
        self._writer = Writer(client, sources, recorder, clock=clock)

    async def __call__(self, key: Key) -> Requeue | None:
        """Reconcile one graph; raises what makes a retry necessary."""
        graph = self._sources.graphs.get(key)
        if graph is None or graph["metadata"].get("deletionTimestamp"):
            # What it owned goes with it: all but the policies carries an owner reference.
            if graph is None and not self._sources.is_open(key):
                # Not before the routes are gone: nothing must be open on the way out.
                await self._writer.delete(self._sources.policies_of(key))
            self._writer.forget(key)
            return None
        if self._writer.is_outdated(graph):
            return None
        current = Pass(graph)
        for phase in _PHASES:
            await phase(self, current)
        if current.refusal is not None:
            raise current.refusal
        return Requeue(WITHIN.total_seconds()) if current.postponed else None

    async def _observe(self, current: Pass) -> None:
        owned = observe_owned(current.owner, self._sources.owned_by(current.owner))
        current.observed = replace(owned, pods=self._sources.pods_of(key_of(current.owner)))

    async def _converge(self, current: Pass) -> None:
        # All or none: a router whose Service has somebody else's name would be made for nothing.
        await self._writer.converge(current, self._compile, self._refuse, all_or_none=True)

    def _compile(self, current: Pass) -> Compiled:
        return compile_graph_object(
            current.owner,
            services=self._sources.services_of(current.owner),
            config=self._config(),
            observed=current.observed,
            now=self._clock(),
        )

    def _refuse(self, current: Pass, error: Exception) -> Compiled:
        """Say in the status what could not be written; what serves goes on serving."""
        metadata = current.owner["metadata"]
        taken = isinstance(error, NotOwnedError)
        said = explained(str(error), current.compiled.objects)
        why = CompileError(Reason.NAME_TAKEN if taken else Reason.INVALID_SPEC, said)
        generation = metadata.get("generation")
        return refuse_graph(metadata["name"], generation, why, current.observed, self._clock())

    async def _prune(self, current: Pass) -> None:
        await self._writer.prune(current)

    async def _write_status(self, current: Pass) -> None:
        await self._writer.write_status(current)

    async def _tell(self, current: Pass) -> None:
        """Emit events, once their status is written: a retry does not tell them again."""
        for event in current.compiled.events:
            self._recorder.emit(current.owner, event.type, event.reason, event.message)


_Phase: TypeAlias = Callable[[Reconciler, Pass], Awaitable[None]]

_PHASES: Final[tuple[_Phase, ...]] = (
    Reconciler._observe,
    Reconciler._converge,
    Reconciler._prune,
    Reconciler._write_status,
    Reconciler._tell,
)
