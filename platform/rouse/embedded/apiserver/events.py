"""Events are kept for an hour and not longer."""

from __future__ import annotations

import asyncio
import logging
from datetime import UTC, datetime, timedelta

from rouse.embedded.apiserver.deletion import Options, delete
from rouse.embedded.apiserver.records import Record
from rouse.embedded.apiserver.state import State

__all__ = ["EventExpiry"]

_log = logging.getLogger(__name__)

BUCKET = "/events"
LIFETIME = timedelta(hours=1)
MAX_EVENTS = 20_000
PERIOD_S = 60.0


class EventExpiry:
    """Removes Events nobody repeated for an hour, and the oldest beyond a bound."""

    def __init__(self, state: State) -> None:
        self._state = state
        self._task: asyncio.Task[None] | None = None

    def start(self) -> None:
        """Begin to look once a minute."""
        self._task = asyncio.get_running_loop().create_task(self._run(), name="apiserver-events")

    async def stop(self) -> None:
        """Stop looking."""
        if self._task is not None:
            self._task.cancel()
            await asyncio.wait([self._task])

    async def expire(self) -> int:
        """Remove what is too old or too much now; returns how many."""
        state = self._state
        resource = state.registry.of_bucket(BUCKET)
        records = sorted(state.store.records(BUCKET), key=lambda record: record.revision)
        limit = state.clock() - LIFETIME
        surplus = len(records) - MAX_EVENTS
        waiting = []
        for number, record in enumerate(records):
            if resource is None or (number >= surplus and _last_seen(record) > limit):
                continue
            head = state.store.head(BUCKET, record.key)
            if head is record:
                _, written = delete(state, resource, head, Options())
                if written is not None:
                    waiting.append(written)
        await asyncio.gather(*waiting)
        return len(waiting)

    async def _run(self) -> None:
        while True:
            await asyncio.sleep(PERIOD_S)
            try:
                await self.expire()
            except Exception:
                _log.exception("old events could not be removed; tried again in a minute")


def _last_seen(record: Record) -> datetime:
    """When the event last happened; long ago when it does not say."""
    obj = record.object()
    series = obj.get("series") or {}
    for text in (
        series.get("lastObservedTime"),
        obj.get("lastTimestamp"),
        obj.get("eventTime"),
        obj["metadata"].get("creationTimestamp"),
    ):
        try:
            moment = datetime.fromisoformat(str(text))
        except ValueError:
            continue
        return moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return datetime.min.replace(tzinfo=UTC)
