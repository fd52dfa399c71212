"""A live local copy of a collection: list once, then watch, and never lose a change."""

from __future__ import annotations

import asyncio
import logging
import random
from collections.abc import Callable, Mapping
from contextlib import aclosing
from dataclasses import dataclass, field
from typing import Final, TypeAlias

from rouse.errors import ApiError, GoneError, NotFoundError, RouseError, UnavailableError
from rouse.kube.backoff import Backoff
from rouse.kube.client import EventType, KubeClient
from rouse.kube.objects import Key, Object, Objects, key_of, resource_version_of
from rouse.kube.resources import Resource
from rouse.kube.store import IndexBy, Store

__all__ = ["ChangeHandler", "Handler", "Informer", "InformerOptions"]

logger = logging.getLogger(__name__)

Handler: TypeAlias = Callable[[EventType, Object], None]
ChangeHandler: TypeAlias = Callable[[EventType, Object, Object | None], None]
"""Called with the event, the object and, for MODIFIED, the object before."""

_WATCH_S: Final = 300.0
_SHORT_WATCH_S: Final = 1.0
"""A watch that ends sooner than this without a change counts as a failure."""
_ABSENT_S: Final = 60.0
"""How often an optional kind is asked for that the API does not have."""
_FROM_THE_FUTURE: Final = 504
"""The API's answer to a resourceVersion it has not reached, as after a restore: list again."""


def _without_managed_fields(obj: Object) -> Object:
    """Drop the largest and never read part of a freshly decoded object."""
    obj["metadata"].pop("managedFields", None)
    return obj


@dataclass(frozen=True, slots=True)
class InformerOptions:
    """What to follow and how. Times are in seconds.

    ``resync`` sends every object to the handlers again this often, against changes missed outside
    the API. ``keep`` makes of an object what is stored; the default drops ``managedFields``.
    ``packed`` keeps objects as JSON: little memory, and a new object for each reading.
    ``optional``: the API may lack the kind; then the copy is empty, and now and again looked after.
    """

    labels: str | None = None
    fields: str | None = None
    resync: float | None = None
    backoff: Backoff = field(default_factory=lambda: Backoff(base=0.1, limit=30.0, jitter=0.5))
    keep: Callable[[Object], Object] = _without_managed_fields
    optional: bool = False
    packed: bool = False
    watch_for: Callable[[], float] = lambda: _WATCH_S * random.uniform(0.8, 1.0)


class Informer:
    """Keeps a copy of one kind, in one namespace or all, and tells handlers about changes.

    Handlers are called in the event loop, in the order of the changes, and must not block; one
    that raises is logged and does not disturb the others. Objects given out are the stored ones:
    never change them.
    """

    def __init__(
        self,
        client: KubeClient,
        resource: Resource,
        namespace: str | None = None,
        options: InformerOptions | None = None,
    ) -> None:
        self.resource = resource
        self._client = client
        self._namespace = namespace
        self._options = options or InformerOptions()
        self._store = Store(packed=self._options.packed)
        self._handlers: list[ChangeHandler] = []
        self._synced = asyncio.Event()
        self._version = ""
        self._failures = 0
        self._tasks: list[asyncio.Task[None]] = []
        self.last_error: RouseError | None = None
        """Why the copy may be behind; None while the watch runs well."""
        self.lists = 0
        """How often all was listed."""
        self.errors = 0
        self.heard_at: float | None = None
        """When the API last said something of this kind, in the event loop's time."""

    # Reading

    def __len__(self) -> int:
        return len(self._store)

    def get(self, key: Key) -> Object | None:
        """Return the object as last seen."""
        return self._store.get(key)

    def all_keys(self) -> list[Key]:
        """Return the keys of all objects."""
        return self._store.all_keys()

    def list(
        self, namespace: str | None = None, labels: Mapping[str, str] | None = None
    ) -> Objects:
        """Return the objects of a namespace (or all) that carry these labels."""
        return self._store.select(namespace, labels)

    def owned_by(self, uid: str) -> Objects:
        """Return the objects that name this uid among their owners."""
        return self._store.indexed("owner", uid)

    def add_index(self, name: str, by: IndexBy) -> None:
        """Add an index for `indexed`."""
        self._store.add_index(name, by)

    def indexed(self, name: str, value: str) -> Objects:
        """Return the objects that have ``value`` in an index added before."""
        return self._store.indexed(name, value)

    # Handlers

    def add_handler(self, handler: Handler) -> None:
        """Call ``handler(type, object)`` on every change; first, ADDED for all that is there."""
        self.add_change_handler(lambda type_, obj, _old: handler(type_, obj))

    def add_change_handler(self, handler: ChangeHandler) -> None:
        """Call ``handler(type, object, before)`` on every change, as `add_handler` does."""
        self._handlers.append(handler)
        for obj in self._store:
            self._call(handler, EventType.ADDED, obj, None)

    # Running

    async def start(self) -> None:
        """Begin to follow; returns at once, see `synced`."""
        self._tasks = [asyncio.create_task(self._run(), name=f"informer {self.resource}")]
        if self._options.resync:
            resync = self._resync(self._options.resync)
            self._tasks.append(asyncio.create_task(resync, name=f"resync {self.resource}"))

    async def stop(self) -> None:
        """Stop following; the copy stays as it is."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    @property
    def is_synced(self) -> bool:
        """Whether the first list is in."""
        return self._synced.is_set()

    async def synced(self, timeout: float = 30.0) -> None:
        """Wait until the first list is in; `UnavailableError` after ``timeout`` seconds."""
        try:
            async with asyncio.timeout(timeout):
                await self._synced.wait()
        except TimeoutError as error:
            why = f": {self.last_error}" if self.last_error else ""
            message = f"{self.resource} could not be listed within {timeout:g} s{why}"
            raise UnavailableError(message, reason="NotSynced") from error

    async def _run(self) -> None:
        while True:
            try:
                if not self._version:
                    await self._list()
                await self._watch()
            except GoneError as error:
                logger.info("%s: the watch is too old, listing again: %s", self.resource, error)
                self._version = ""
                await self._failed(error)
            except NotFoundError as error:
                if self._options.optional:
                    await self._absent()
                else:
                    logger.warning("%s: %s", self.resource, error)
                    await self._failed(error)
            except RouseError as error:
                logger.warning("%s: %s", self.resource, error)
                if isinstance(error, ApiError) and error.status == _FROM_THE_FUTURE:
                    self._version = ""
                await self._failed(error)
            except Exception as error:
                logger.exception("%s: the informer failed", self.resource)
                self._version = ""
                await self._failed(UnavailableError(f"{self.resource}: {error!r}"))

    async def _absent(self) -> None:
        """The API has no such kind, or no longer: nothing is there, until somebody brings it."""
        for key in self._store.all_keys():
            self._removed(key)
        self._version = ""
        self._heard()
        self._synced.set()
        await asyncio.sleep(_ABSENT_S)

    async def _failed(self, error: RouseError) -> None:
        self._failures += 1
        self.errors += 1
        self.last_error = error
        await asyncio.sleep(self._options.backoff.delay(self._failures))

    async def _list(self) -> None:
        pages = self._client.pages(
            self.resource,
            self._namespace,
            labels=self._options.labels,
            fields=self._options.fields,
        )
        present: set[Key] = set()
        version = ""
        async with aclosing(pages):
            async for page in pages:
                if page.anew:
                    present.clear()
                for obj in page.items:
                    present.add(key_of(obj))
                    known = self._store.get(key_of(obj))
                    if known is None or resource_version_of(known) != resource_version_of(obj):
                        self._changed(obj)
                version = page.resource_version
        for key in self._store.all_keys():
            if key not in present:
                self._removed(key)
        self._version = version
        self.lists += 1
        self._heard()
        self.last_error = None
        self._synced.set()

    async def _watch(self) -> None:
        """Follow one watch to its end, which is normal."""
        loop = asyncio.get_running_loop()
        began = loop.time()
        heard = False
        events = self._client.watch(
            self.resource,
            self._namespace,
            resource_version=self._version,
            labels=self._options.labels,
            fields=self._options.fields,
            timeout_s=max(1, round(self._options.watch_for())),
        )
        async with aclosing(events):
            async for event in events:
                heard = True
                self._failures = 0
                self.last_error = None
                self._heard()
                self._version = resource_version_of(event.object) or self._version
                if event.type is EventType.DELETED:
                    self._removed(key_of(event.object), event.object)
                elif event.type is not EventType.BOOKMARK:
                    self._changed(event.object)
        if not heard and loop.time() - began < _SHORT_WATCH_S:
            raise UnavailableError(f"{self.resource}: the watch ended at once", reason="ShortWatch")

    async def _resync(self, every: float) -> None:
        while True:
            await asyncio.sleep(every)
            for obj in self._store:
                self._notify(EventType.MODIFIED, obj, obj)

    def _heard(self) -> None:
        self.heard_at = asyncio.get_running_loop().time()

    # Changes

    def _changed(self, obj: Object) -> None:
        kept = self._options.keep(obj)
        old = self._store.put(kept)
        self._notify(EventType.ADDED if old is None else EventType.MODIFIED, kept, old)

    def _removed(self, key: Key, last: Object | None = None) -> None:
        old = self._store.remove(key)
        gone = self._options.keep(last) if last is not None else old
        if gone is not None:
            self._notify(EventType.DELETED, gone, old)

    def _notify(self, type_: EventType, obj: Object, old: Object | None) -> None:
        for handler in self._handlers:
            self._call(handler, type_, obj, old)

    def _call(
        self, handler: ChangeHandler, type_: EventType, obj: Object, old: Object | None
    ) -> None:
        try:
            handler(type_, obj, old)
        except Exception:
            logger.exception("%s %s: a handler failed", self.resource, key_of(obj))
