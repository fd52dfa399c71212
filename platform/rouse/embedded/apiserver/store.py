"""The state: committed objects in memory, one SQLite file behind them, group commit between.

Two views. *Head* is what writers compute against: every accepted write at once, so that two
handlers of one loop turn cannot both win. *Committed* is what readers and watchers see: only what
is durable. Writes queued while a commit runs share the next one, so the cost of an fsync is
divided by the load. A failed commit rolls head back to committed and fails every waiting writer.

Single-threaded: every method belongs to the event loop; only ``SqliteFile`` works in the writer
thread.
"""

from __future__ import annotations

import asyncio
import logging
import sqlite3
from collections.abc import Callable, Iterable, Mapping
from concurrent.futures import ThreadPoolExecutor

import orjson

from rouse.embedded.apiserver.errors import Object, StatusError, failure
from rouse.embedded.apiserver.history import Change, History
from rouse.embedded.apiserver.records import Key, Record, record_of
from rouse.embedded.apiserver.sqlite import Row, SqliteFile
from rouse.errors import EngineError

__all__ = ["FieldsOf", "Store"]

_log = logging.getLogger(__name__)

FieldsOf = Callable[[str, Object], Mapping[str, str]]
"""(bucket, object) -> the fields a fieldSelector may name."""

MAX_QUEUED = 50_000


class _Bucket:
    """The committed objects of one resource."""

    __slots__ = ("_sorted", "history", "records")

    def __init__(self, floor: int) -> None:
        self.records: dict[Key, Record] = {}
        self.history = History(floor)
        self._sorted: list[Key] | None = None

    def ordered(self) -> list[Key]:
        if self._sorted is None:
            self._sorted = sorted(self.records)
        return self._sorted

    def apply(self, change: Change) -> None:
        key = change.record.key
        if change.type == "DELETED":
            del self.records[key]
            self._sorted = None
            return
        if key not in self.records:
            self._sorted = None
        self.records[key] = change.record


class Store:
    """Objects by bucket (``group/plural``) and key, with revisions, history and listeners."""

    def __init__(self, file: SqliteFile, fields_of: FieldsOf) -> None:
        self._file = file
        self._fields_of = fields_of
        self._buckets: dict[str, _Bucket] = {}
        self._head: dict[tuple[str, Key], Record | None] = {}
        self._queue: list[tuple[Change, asyncio.Future[Record]]] = []
        self._next = 0
        self._committed = 0
        self._floors: dict[str, int] = {}
        self._wanted = asyncio.Event()
        self._writer = ThreadPoolExecutor(1, thread_name_prefix="apiserver-store")
        self._task: asyncio.Task[None] | None = None
        self._closing = False
        self.by_uid: dict[str, tuple[str, Key]] = {}
        self.dependents: dict[str, set[tuple[str, Key]]] = {}
        self._listeners: list[Callable[[Change], None]] = []

    @property
    def revision(self) -> int:
        """The newest committed revision."""
        return self._committed

    async def start(self) -> None:
        """Load everything and begin to commit."""
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._file.open)
        rows, self._floors = await loop.run_in_executor(self._writer, self._file.load)
        self._next = self._committed = max(self._floors.values(), default=1)
        for row in rows:
            self._restore(row)
        self._task = loop.create_task(self._commit_forever(), name="apiserver-commit")

    async def stop(self) -> None:
        """Commit what is queued, then close the file."""
        self._closing = True
        self._wanted.set()
        if self._task is not None:
            await self._task
        loop = asyncio.get_running_loop()
        await loop.run_in_executor(self._writer, self._file.close)
        self._writer.shutdown(wait=False)

    # -- committed view

    def get(self, bucket: str, key: Key) -> Record | None:
        """The committed object."""
        found = self._buckets.get(bucket)
        return found.records.get(key) if found else None

    def records(self, bucket: str, namespace: str = "") -> list[Record]:
        """Committed objects in order of namespace and name; ``""`` means every namespace."""
        found = self._buckets.get(bucket)
        if found is None:
            return []
        records = found.records
        if not namespace:
            return [records[key] for key in found.ordered()]
        return [records[key] for key in found.ordered() if key.namespace == namespace]

    def buckets(self) -> list[str]:
        """Names of the buckets that ever held an object since the start."""
        return list(self._buckets)

    def since(self, bucket: str, revision: int) -> list[Change]:
        """Changes of a bucket after ``revision``; 410 Expired when some are forgotten."""
        return self._bucket(bucket).history.since(revision)

    def listen(self, listener: Callable[[Change], None]) -> Callable[[], None]:
        """Call ``listener`` for every committed change, in order; returns how to stop it."""
        self._listeners.append(listener)
        return lambda: self._listeners.remove(listener)

    # -- head view

    def head(self, bucket: str, key: Key) -> Record | None:
        """The newest accepted object, durable or not: what a writer must build on."""
        at = (bucket, key)
        if at in self._head:
            return self._head[at]
        return self.get(bucket, key)

    def heads(self, bucket: str, namespace: str) -> list[Record]:
        """The newest accepted objects of a namespace, in no order."""
        found = {record.key: record for record in self.records(bucket, namespace)}
        for (where, key), record in self._head.items():
            if where == bucket and key.namespace == namespace:
                if record is None:
                    found.pop(key, None)
                else:
                    found[key] = record
        return list(found.values())

    def put(self, bucket: str, obj: Object) -> asyncio.Future[Record]:
        """Accept a new state of an object; the future ends when it is durable."""
        revision = self._allot()
        record = record_of(obj, revision, self._fields_of(bucket, obj))
        previous = self.head(bucket, record.key)
        change = Change("ADDED" if previous is None else "MODIFIED", bucket, record, previous)
        return self._enqueue(change, record)

    def draft(self, bucket: str, obj: Object) -> Record:
        """What :meth:`put` would store, without storing it (a dry run)."""
        revision = int(obj["metadata"].get("resourceVersion") or 0)
        return record_of(obj, revision, self._fields_of(bucket, obj))

    def remove(self, bucket: str, obj: Object) -> asyncio.Future[Record]:
        """Accept the removal of an object, whose last state is ``obj``."""
        revision = self._allot()
        record = record_of(obj, revision, self._fields_of(bucket, obj))
        previous = self.head(bucket, record.key)
        return self._enqueue(Change("DELETED", bucket, record, previous), None)

    # -- inside

    def _allot(self) -> int:
        if self._closing:
            raise failure(503, "ServiceUnavailable", "the API server is stopping; try again")
        if len(self._queue) >= MAX_QUEUED:
            raise failure(429, "TooManyRequests", "too many writes are waiting; try again")
        self._next += 1
        return self._next

    def _enqueue(self, change: Change, head: Record | None) -> asyncio.Future[Record]:
        self._head[change.bucket, change.record.key] = head
        future: asyncio.Future[Record] = asyncio.get_running_loop().create_future()
        self._queue.append((change, future))
        self._wanted.set()
        return future

    async def _commit_forever(self) -> None:
        loop = asyncio.get_running_loop()
        while True:
            await self._wanted.wait()
            self._wanted.clear()
            batch, self._queue = self._queue, []
            if batch:
                rows = [_row(change) for change, _ in batch]
                try:
                    await loop.run_in_executor(self._writer, self._file.commit, rows)
                except (sqlite3.Error, OSError, EngineError) as error:
                    self._roll_back(batch, error)
                else:
                    self._publish(batch)
            if self._closing and not self._queue:
                return

    def _publish(self, batch: Iterable[tuple[Change, asyncio.Future[Record]]]) -> None:
        for change, future in batch:
            bucket = self._bucket(change.bucket)
            bucket.apply(change)
            bucket.history.append(change)
            self._committed = change.record.revision
            self._index(change)
            at = (change.bucket, change.record.key)
            if at in self._head and self._is_head(change, self._head[at]):
                del self._head[at]
            for listener in tuple(self._listeners):
                try:
                    listener(change)
                except Exception:
                    _log.exception("a listener of the store failed on %s", at)
            if not future.done():
                future.set_result(change.record)

    @staticmethod
    def _is_head(change: Change, head: Record | None) -> bool:
        return head is None if change.type == "DELETED" else head is change.record

    def _roll_back(
        self, batch: Iterable[tuple[Change, asyncio.Future[Record]]], error: Exception
    ) -> None:
        """Fail the batch and all that was computed on top of it."""
        _log.error("a commit failed, its writes are refused: %s", error)
        waiting = [*batch, *self._queue]
        self._queue = []
        self._head.clear()
        refusal = failure(
            500, "InternalError", f"the write could not be stored, nothing was changed: {error}"
        )
        for _, future in waiting:
            if not future.done():
                future.set_exception(StatusError(500, refusal.reason, refusal.message))
                future.exception()  # its writer may be gone; then nobody else looks at it

    def _restore(self, row: Row) -> None:
        obj: Object = _parse(row)
        record = record_of(obj, row.revision, self._fields_of(row.bucket, obj))
        change = Change("ADDED", row.bucket, record, None)
        self._bucket(row.bucket).apply(change)
        self._index(change)

    def _bucket(self, name: str) -> _Bucket:
        found = self._buckets.get(name)
        if found is None:
            found = self._buckets[name] = _Bucket(self._floors.get(name, 0))
        return found

    def _index(self, change: Change) -> None:
        record, at = change.record, (change.bucket, change.record.key)
        for owner in change.previous.owners if change.previous else ():
            held = self.dependents.get(owner)
            if held is not None:
                held.discard(at)
                if not held:
                    del self.dependents[owner]
        if change.type == "DELETED":
            self.by_uid.pop(record.uid, None)
            return
        if record.uid:
            self.by_uid[record.uid] = at
        for owner in record.owners:
            self.dependents.setdefault(owner, set()).add(at)


def _row(change: Change) -> Row:
    record = change.record
    body = None if change.type == "DELETED" else record.raw
    return Row(change.bucket, record.key.namespace, record.key.name, record.revision, body)


def _parse(row: Row) -> Object:
    parsed: Object = orjson.loads(row.body or b"{}")
    return parsed
