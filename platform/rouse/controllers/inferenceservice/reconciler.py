"""The reconcile of one InferenceService: a list of short phases over one `Pass`."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import COLD_START_WITHIN_BUDGET, Reason, condition_of
from rouse.compiler import Compiled, compile_object
from rouse.compiler.coldstart import new_cold_starts
from rouse.compiler.errors import CompileError
from rouse.compiler.events import make_events
from rouse.compiler.needs import explained
from rouse.compiler.status import make_refused_status
from rouse.controllers.inferenceservice.settings import Settings
from rouse.controllers.inferenceservice.sources import Sources
from rouse.controllers.writing import DRIFT_REPEATS, WITHIN, Pass, Writer, observe_owned
from rouse.kube.client import KubeClient
from rouse.kube.controller import Requeue
from rouse.kube.events import EventRecorder
from rouse.kube.objects import Key, key_of
from rouse.kube.resources import VIRTUAL_SERVICES

__all__ = ["DRIFT_REPEATS", "ColdStartObserver", "Reconciler"]


class ColdStartObserver(Protocol):
    """Is told of the wake-ups of InferenceServices."""

    def woke(self, key: Key, record: Object) -> None:
        """A wake-up was written; ``record`` is that of status.coldStart."""

    def judged(self, key: Key, within: bool | None) -> None:
        """Whether the service is within its budget; None without one, or without a wake-up."""

    def forget(self, key: Key) -> None:
        """The service is gone."""


class Reconciler:
    """Brings the API's objects to what an InferenceService asks for. Level-based and idempotent.

    ``activations`` gives the wake-ups of an InferenceService that were put together from its pods,
    ``keep_alive`` what its status is to say of being kept awake,
    ``observer`` is told of each once it is written; ``clock`` gives the current time in UTC.
    """

    def __init__(
        self,
        client: KubeClient,
        sources: Sources,
        settings: Settings,
        recorder: EventRecorder,
        *,
        activations: Callable[[Key], Sequence[Object]] = lambda _key: (),
        keep_alive: Callable[[Key], Object | None] = lambda _key: None,
        observer: ColdStartObserver | None = None,
        clock: Callable[[], datetime] = lambda: datetime.now(UTC),
    ) -> None:
        self._sources = sources
        self._settings = settings
        self._recorder = recorder
        self._activations = activations
        self._keep_alive = keep_alive
        self._observer = observer
        self._clock = clock
        self._writer = Writer(client, sources, recorder, clock=clock)

    async def __call__(self, key: Key) -> Requeue | None:
        """Reconcile one InferenceService; raises what makes a retry necessary."""
        service = self._sources.services.get(key)
        if service is None or service["metadata"].get("deletionTimestamp"):
            # What it owned goes with it: all but the policies carries an owner reference.
            if service is None and self._sources.owned[VIRTUAL_SERVICES].get(key) is None:
                # Not before the routes are gone: nothing must be open on the way out.
                await self._writer.delete(self._sources.policies_of(key))
            if self._observer is not None:
                self._observer.forget(key)
            self._writer.forget(key)
            return None
        if self._writer.is_outdated(service):
            return None
        current = Pass(service)
        for phase in _PHASES:
            await phase(self, current)
        if current.refusal is not None:
            raise current.refusal
        return Requeue(WITHIN.total_seconds()) if current.postponed else None

    async def _observe(self, current: Pass) -> None:
        key = key_of(current.owner)
        current.observed = replace(
            observe_owned(current.owner, self._sources.owned_by(current.owner)),
            revisions=self._sources.revisions_of(current.owner),
            pods=self._sources.pods_of(current.owner),
            activations=self._activations(key),
            keep_alive=self._keep_alive(key),
        )

    async def _converge(self, current: Pass) -> None:
        await self._writer.converge(current, self._compile, self._refuse)

    def _compile(self, current: Pass) -> Compiled:
        return compile_object(
            current.owner,
            runtimes=self._settings.runtimes,
            storage_containers=self._settings.storage_containers,
            config=self._settings.config,
            observed=current.observed,
            now=self._clock(),
        )

    def _refuse(self, current: Pass, error: Exception) -> Compiled:
        """Say in the status what could not be written; what serves goes on serving."""
        metadata, before = current.owner["metadata"], current.observed.previous_status
        why = CompileError(Reason.INVALID_SPEC, explained(str(error), current.compiled.objects))
        status = make_refused_status(metadata.get("generation"), why, before, self._clock())
        return Compiled((), status, make_events(metadata["name"], before, status), prune=False)

    async def _prune(self, current: Pass) -> None:
        await self._writer.prune(current)

    async def _write_status(self, current: Pass) -> None:
        await self._writer.write_status(current)

    async def _tell(self, current: Pass) -> None:
        """Emit events, once their status is written: a retry does not tell them again."""
        if self._observer is not None:
            _tell_cold_starts(self._observer, current)
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


def _tell_cold_starts(observer: ColdStartObserver, current: Pass) -> None:
    key, status = key_of(current.owner), current.compiled.status
    told = current.observed.previous_status.get("coldStart")
    for record in new_cold_starts(told, status.get("coldStart")):
        observer.woke(key, record)
    truth = condition_of({"status": status}, COLD_START_WITHIN_BUDGET).get("status")
    observer.judged(key, {"True": True, "False": False}.get(str(truth)))
