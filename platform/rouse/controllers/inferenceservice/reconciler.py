"""The reconcile of one InferenceService: a list of short phases over one `Pass`."""

from __future__ import annotations

import logging
from collections.abc import Awaitable, Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Final, Protocol, TypeAlias

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import COLD_START_WITHIN_BUDGET, Reason, condition_of
from rouse.compiler import Compiled, Observed, compile_object
from rouse.compiler.coldstart import new_cold_starts
from rouse.compiler.errors import CompileError
from rouse.compiler.events import make_events
from rouse.compiler.status import make_refused_status
from rouse.controllers.inferenceservice.missing import explain_missing
from rouse.controllers.inferenceservice.ownership import NotOwnedError, check_owner
from rouse.controllers.inferenceservice.repairs import WITHIN, Repairs, is_repair
from rouse.controllers.inferenceservice.settings import Settings
from rouse.controllers.inferenceservice.sources import Sources
from rouse.errors import NotFoundError, RejectedError
from rouse.kube.apply import apply_if_differs, differs, stamped
from rouse.kube.client import KubeClient
from rouse.kube.controller import Requeue
from rouse.kube.events import EventRecorder
from rouse.kube.objects import Key, key_of, resource_version_of, uid_of
from rouse.kube.resources import (
    DEPLOYMENTS,
    KNATIVE_SERVICES,
    VIRTUAL_SERVICES,
    Resource,
    resource_of,
)

__all__ = ["DRIFT_REPEATS", "ColdStartObserver", "Reconciler"]

logger = logging.getLogger(__name__)

DRIFT_REPEATS: Final = "DriftRepeats"
"""Reason of the event about an object that someone else keeps changing."""

_ROUNDS: Final = 3
"""What is written changes what is compiled once at most; the rest is for the next reconcile."""


class ColdStartObserver(Protocol):
    """Is told of the wake-ups of InferenceServices."""

    def woke(self, key: Key, record: Object) -> None:
        """A wake-up was written; ``record`` is that of status.coldStart."""

    def judged(self, key: Key, within: bool | None) -> None:
        """Whether the service is within its budget; None without one, or without a wake-up."""

    def forget(self, key: Key) -> None:
        """The service is gone."""


@dataclass(slots=True)
class Pass:
    """What one reconcile has found out so far."""

    service: Object
    """The InferenceService as it was seen; never changed."""
    observed: Observed = field(default_factory=Observed)
    compiled: Compiled = field(default_factory=lambda: Compiled((), {}))
    written: dict[tuple[Resource, Key], Object] = field(default_factory=dict)
    """Objects as the API stored them in this pass: newer than the informers' copies."""
    refusal: RejectedError | NotOwnedError | None = None
    postponed: bool = False
    """Whether drift was left for later, as it comes back again and again."""


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
        self._client = client
        self._sources = sources
        self._settings = settings
        self._recorder = recorder
        self._activations = activations
        self._keep_alive = keep_alive
        self._observer = observer
        self._clock = clock
        self._outdated: dict[Key, str] = {}
        self._repairs = Repairs()

    async def __call__(self, key: Key) -> Requeue | None:
        """Reconcile one InferenceService; raises what makes a retry necessary."""
        service = self._sources.services.get(key)
        if service is None or service["metadata"].get("deletionTimestamp"):
            # What it owned goes with it: all but the policies carries an owner reference.
            if service is None and self._sources.owned[VIRTUAL_SERVICES].get(key) is None:
                # Not before the routes are gone: nothing must be open on the way out.
                await self._delete(self._sources.policies_of(key))
            if self._observer is not None:
                self._observer.forget(key)
            self._outdated.pop(key, None)
            self._repairs.forget(key)
            return None
        if self._outdated.get(key) == resource_version_of(service):
            # The copy has not caught up with our own last write, whose event will come: deciding
            # on the status before it could undo what was decided then.
            return None
        current = Pass(service)
        for phase in _PHASES:
            await phase(self, current)
        if current.refusal is not None:
            raise current.refusal
        return Requeue(WITHIN.total_seconds()) if current.postponed else None

    async def _observe(self, current: Pass) -> None:
        mine = list(self._sources.owned_by(current.service))
        key = key_of(current.service)
        routes = (one for one in mine if resource_of(one) is VIRTUAL_SERVICES)
        current.observed = Observed(
            knative_services=_named(mine, KNATIVE_SERVICES),
            revisions=self._sources.revisions_of(current.service),
            deployments=_named(mine, DEPLOYMENTS),
            pods=self._sources.pods_of(current.service),
            activations=self._activations(key),
            keep_alive=self._keep_alive(key),
            virtual_service=next((one for one in routes if key_of(one) == key), None),
            previous_status=current.service.get("status") or {},
        )

    async def _converge(self, current: Pass) -> None:
        """Compile and write until nothing differs, so that the status tells of what is now."""
        for _ in range(_ROUNDS):
            current.compiled = compile_object(
                current.service,
                runtimes=self._settings.runtimes,
                storage_containers=self._settings.storage_containers,
                config=self._settings.config,
                observed=current.observed,
                now=self._clock(),
            )
            try:
                written = [await self._apply(current, one) for one in current.compiled.objects]
            except (RejectedError, NotOwnedError) as error:
                # The API will never take it: that is for the user to know.
                current.refusal = error
                current.compiled = _refused(current, error, self._clock())
                return
            if not any(written):
                return

    async def _apply(self, current: Pass, wanted: Object) -> bool:
        """Write one object if it differs; say whether it did."""
        live = await self._live(current, wanted)
        check_owner(current.service, wanted, live)
        if self._is_endless(current, wanted, live):
            return False
        try:
            stored = await apply_if_differs(self._client, wanted, live)
        except NotFoundError as error:
            raise explain_missing(wanted, error) or error from error
        if stored is None:
            return False
        logger.info("%s: wrote %s", key_of(current.service), _name(wanted))
        current.written[resource_of(wanted), key_of(wanted)] = stored
        current.observed = _with(current.observed, stored)
        return True

    def _is_endless(self, current: Pass, wanted: Object, live: Object | None) -> bool:
        """Say whether an object is to be left as it is for now; its InferenceService is told."""
        marked = stamped(wanted)
        if live is None or not is_repair(marked, live) or not differs(marked, live):
            return False
        if self._repairs.allow(key_of(current.service), self._clock()):
            return False
        current.postponed = True
        message = (
            f"{_name(wanted)} is changed by someone else again and again: it is repaired in a "
            f"minute; its managedFields name who writes it"
        )
        self._recorder.emit(current.service, "Warning", DRIFT_REPEATS, message)
        return True

    async def _prune(self, current: Pass) -> None:
        """Delete owned objects that are no longer wanted."""
        if not current.compiled.prune:
            return
        wanted = {(resource_of(one), key_of(one)) for one in current.compiled.objects}
        mine = [
            *self._sources.owned_by(current.service),
            *self._sources.policies_of(key_of(current.service)),
        ]
        await self._delete(one for one in mine if (resource_of(one), key_of(one)) not in wanted)

    async def _delete(self, objects: Iterable[Object]) -> None:
        for live in objects:
            resource, key = resource_of(live), key_of(live)
            if live["metadata"].get("deletionTimestamp"):
                continue
            try:
                await self._client.delete(resource, key.name, key.namespace, uid=uid_of(live))
            except NotFoundError:
                continue
            logger.info("deleted %s of %s", _name(live), key.namespace)

    async def _write_status(self, current: Pass) -> None:
        wanted = current.compiled.status
        if wanted == (current.service.get("status") or {}):
            return
        # With the resourceVersion we read: who changed the spec meanwhile makes this a conflict,
        # and the next reconcile sees the change.
        written = await self._client.replace(
            {**current.service, "status": wanted}, subresource="status"
        )
        before = resource_version_of(current.service)
        if resource_version_of(written) != before:
            self._outdated[key_of(current.service)] = before

    async def _tell(self, current: Pass) -> None:
        """Emit events, once their status is written: a retry does not tell them again."""
        if self._observer is not None:
            _tell_cold_starts(self._observer, current)
        for event in current.compiled.events:
            self._recorder.emit(current.service, event.type, event.reason, event.message)

    async def _live(self, current: Pass, wanted: Object) -> Object | None:
        """Return the live object, from the API itself where the copy has none.

        The copy may lag, and it does not hold objects of the same name that are not ours.
        """
        resource, key = resource_of(wanted), key_of(wanted)
        copies = self._sources.owned.get(resource)
        # There is no copy of what InferenceServices share.
        known = current.written.get((resource, key)) or (copies.get(key) if copies else None)
        if known is not None:
            return known
        try:
            return await self._client.get(resource, key.name, key.namespace)
        except NotFoundError:
            return None


_Phase: TypeAlias = Callable[[Reconciler, Pass], Awaitable[None]]

_PHASES: Final[tuple[_Phase, ...]] = (
    Reconciler._observe,
    Reconciler._converge,
    Reconciler._prune,
    Reconciler._write_status,
    Reconciler._tell,
)


def _tell_cold_starts(observer: ColdStartObserver, current: Pass) -> None:
    key, status = key_of(current.service), current.compiled.status
    told = current.observed.previous_status.get("coldStart")
    for record in new_cold_starts(told, status.get("coldStart")):
        observer.woke(key, record)
    truth = condition_of({"status": status}, COLD_START_WITHIN_BUDGET).get("status")
    observer.judged(key, {"True": True, "False": False}.get(str(truth)))


def _named(objects: Iterable[Object], resource: Resource) -> dict[str, Object]:
    return {one["metadata"]["name"]: one for one in objects if resource_of(one) is resource}


def _with(observed: Observed, stored: Object) -> Observed:
    """Return what was observed, with an object just written in its place."""
    resource, name = resource_of(stored), stored["metadata"]["name"]
    if resource is KNATIVE_SERVICES:
        known = {**observed.knative_services, name: stored}
        return replace(observed, knative_services=known)
    if resource is DEPLOYMENTS:
        return replace(observed, deployments={**observed.deployments, name: stored})
    return replace(observed, virtual_service=stored) if resource is VIRTUAL_SERVICES else observed


def _refused(current: Pass, error: Exception, now: datetime) -> Compiled:
    """Say in the status what could not be written; what serves goes on serving."""
    metadata, before = current.service["metadata"], current.observed.previous_status
    why = CompileError(Reason.INVALID_SPEC, str(error))
    status = make_refused_status(metadata.get("generation"), why, before, now)
    return Compiled((), status, make_events(metadata["name"], before, status), prune=False)


def _name(obj: Object) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"
