"""Writes what an owner's compile wants, and its status: the phases that all reconciles share."""

from __future__ import annotations

import logging
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any, Final, Protocol, TypeAlias

from rouse.api.base import Object
from rouse.compiler import Compiled, Observed
from rouse.controllers.writing.missing import explain_missing
from rouse.controllers.writing.ownership import NotOwnedError, check_owner
from rouse.controllers.writing.repairs import Repairs, is_repair
from rouse.errors import NotFoundError, RejectedError
from rouse.kube.apply import apply_if_differs, differs, stamped
from rouse.kube.client import KubeClient
from rouse.kube.events import EventRecorder
from rouse.kube.informer import Informer
from rouse.kube.objects import Key, key_of, resource_version_of, uid_of
from rouse.kube.resources import (
    DEPLOYMENTS,
    KNATIVE_SERVICES,
    VIRTUAL_SERVICES,
    Resource,
    resource_of,
)

__all__ = ["DRIFT_REPEATS", "Copies", "Pass", "Writer"]

logger = logging.getLogger(__name__)

DRIFT_REPEATS: Final = "DriftRepeats"
"""Reason of the event about an object that someone else keeps changing."""

_ROUNDS: Final = 3
"""What is written changes what is compiled once at most; the rest is for the next reconcile."""


class Copies(Protocol):
    """What is known of the objects that owners have."""

    @property
    def owned(self) -> Mapping[Resource, Informer]:
        """The informers of the kinds that are made."""

    def owned_by(self, owner: Mapping[str, Any]) -> Iterable[Object]:
        """Return the objects that belong to an owner."""

    def policies_of(self, key: Key) -> Iterable[Object]:
        """Return the policies of an owner, which may be gone."""


@dataclass(slots=True)
class Pass:
    """What one reconcile has found out so far."""

    owner: Object
    """The user's object as it was seen; never changed."""
    observed: Observed = field(default_factory=Observed)
    compiled: Compiled = field(default_factory=lambda: Compiled((), {}))
    written: dict[tuple[Resource, Key], Object] = field(default_factory=dict)
    """Objects as the API stored them in this pass: newer than the informers' copies."""
    refusal: RejectedError | NotOwnedError | None = None
    postponed: bool = False
    """Whether drift was left for later, as it comes back again and again."""


Compile: TypeAlias = Callable[[Pass], Compiled]
Refuse: TypeAlias = Callable[[Pass, Exception], Compiled]


class Writer:
    """Brings the API's objects to what is compiled for one owner after another.

    ``clock`` gives the current time in UTC.
    """

    def __init__(
        self,
        client: KubeClient,
        copies: Copies,
        recorder: EventRecorder,
        *,
        clock: Callable[[], datetime],
    ) -> None:
        self._client = client
        self._copies = copies
        self._recorder = recorder
        self._clock = clock
        self._outdated: dict[Key, str] = {}
        self._repairs = Repairs()

    def forget(self, key: Key) -> None:
        """Forget an owner that is gone."""
        self._outdated.pop(key, None)
        self._repairs.forget(key)

    def is_outdated(self, owner: Object) -> bool:
        """Whether the copy has not caught up with our own last write, whose event will come.

        Deciding on the status before it could undo what was decided then.
        """
        return self._outdated.get(key_of(owner)) == resource_version_of(owner)

    async def converge(
        self, current: Pass, compile_: Compile, refuse: Refuse, *, all_or_none: bool = False
    ) -> None:
        """Compile and write until nothing differs, so that the status tells of what is now.

        ``all_or_none``: nothing is written while one of the objects is somebody else's.
        """
        for _ in range(_ROUNDS):
            current.compiled = compile_(current)
            try:
                if all_or_none:
                    await self._check(current)
                written = [await self._apply(current, one) for one in current.compiled.objects]
            except (RejectedError, NotOwnedError) as error:
                # The API will never take it: that is for the user to know.
                current.refusal = error
                current.compiled = refuse(current, error)
                return
            if not any(written):
                return

    async def prune(self, current: Pass) -> None:
        """Delete owned objects that are no longer wanted."""
        if not current.compiled.prune:
            return
        wanted = {(resource_of(one), key_of(one)) for one in current.compiled.objects}
        mine = [
            *self._copies.owned_by(current.owner),
            *self._copies.policies_of(key_of(current.owner)),
        ]
        await self.delete(one for one in mine if (resource_of(one), key_of(one)) not in wanted)

    async def delete(self, objects: Iterable[Object]) -> None:
        """Delete objects, those that are still what they were seen to be."""
        for live in objects:
            resource, key = resource_of(live), key_of(live)
            if live["metadata"].get("deletionTimestamp"):
                continue
            try:
                await self._client.delete(resource, key.name, key.namespace, uid=uid_of(live))
            except NotFoundError:
                continue
            logger.info("deleted %s of %s", _name(live), key.namespace)

    async def write_status(self, current: Pass) -> None:
        """Write the status if it differs."""
        wanted = current.compiled.status
        if wanted == (current.owner.get("status") or {}):
            return
        # With the resourceVersion we read: who changed the spec meanwhile makes this a conflict,
        # and the next reconcile sees the change.
        written = await self._client.replace(
            {**current.owner, "status": wanted}, subresource="status"
        )
        before = resource_version_of(current.owner)
        if resource_version_of(written) != before:
            self._outdated[key_of(current.owner)] = before

    async def _check(self, current: Pass) -> None:
        for wanted in current.compiled.objects:
            check_owner(current.owner, wanted, await self._live(current, wanted))

    async def _apply(self, current: Pass, wanted: Object) -> bool:
        """Write one object if it differs; say whether it did."""
        live = await self._live(current, wanted)
        check_owner(current.owner, wanted, live)
        if self._is_endless(current, wanted, live):
            return False
        try:
            stored = await apply_if_differs(self._client, wanted, live)
        except NotFoundError as error:
            raise explain_missing(wanted, error) or error from error
        if stored is None:
            return False
        logger.info("%s: wrote %s", key_of(current.owner), _name(wanted))
        current.written[resource_of(wanted), key_of(wanted)] = stored
        current.observed = _with(current.observed, stored)
        return True

    def _is_endless(self, current: Pass, wanted: Object, live: Object | None) -> bool:
        """Say whether an object is to be left as it is for now; its owner is told."""
        marked = stamped(wanted)
        if live is None or not is_repair(marked, live) or not differs(marked, live):
            return False
        if self._repairs.allow(key_of(current.owner), self._clock()):
            return False
        current.postponed = True
        message = (
            f"{_name(wanted)} is changed by someone else again and again: it is repaired in a "
            f"minute; its managedFields name who writes it"
        )
        self._recorder.emit(current.owner, "Warning", DRIFT_REPEATS, message)
        return True

    async def _live(self, current: Pass, wanted: Object) -> Object | None:
        """Return the live object, from the API itself where the copy has none.

        The copy may lag, and it does not hold objects of the same name that are not ours.
        """
        resource, key = resource_of(wanted), key_of(wanted)
        known = current.written.get((resource, key)) or self._copy(current, resource, key)
        if known is not None:
            return known
        try:
            return await self._client.get(resource, key.name, key.namespace)
        except NotFoundError:
            return None

    def _copy(self, current: Pass, resource: Resource, key: Key) -> Object | None:
        """Return what an informer has; None where there is none, as of what owners share."""
        copies = self._copies.owned.get(resource)
        if copies is not None:
            return copies.get(key)
        policies = self._copies.policies_of(key_of(current.owner))
        return next((p for p in policies if (resource_of(p), key_of(p)) == (resource, key)), None)


def _with(observed: Observed, stored: Object) -> Observed:
    """Return what was observed, with an object just written in its place."""
    resource, name = resource_of(stored), stored["metadata"]["name"]
    if resource is KNATIVE_SERVICES:
        known = {**observed.knative_services, name: stored}
        return replace(observed, knative_services=known)
    if resource is DEPLOYMENTS:
        return replace(observed, deployments={**observed.deployments, name: stored})
    return replace(observed, virtual_service=stored) if resource is VIRTUAL_SERVICES else observed


def _name(obj: Object) -> str:
    return f"{obj['kind']} {obj['metadata']['name']}"
