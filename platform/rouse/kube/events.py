"""Events: what happened to an object, for people. Never in a reconcile's way."""

from __future__ import annotations

import asyncio
import logging
import random
import time
from collections import OrderedDict
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final, NamedTuple

from rouse.errors import ApiError, NotFoundError
from rouse.kube.client import KubeClient
from rouse.kube.objects import Key, Object
from rouse.kube.resources import EVENTS

__all__ = ["EventRecorder", "EventSeries", "make_event"]

logger = logging.getLogger(__name__)

_QUEUED: Final = 1000
_REMEMBERED: Final = 4096
_SERIES_S: Final = 600.0
_MESSAGE_LENGTH: Final = 1024


class _Same(NamedTuple):
    uid: str
    type: str
    reason: str
    message: str


@dataclass(slots=True)
class _Series:
    key: Key
    count: int
    last: float


class EventSeries:
    """Tells which events repeat an earlier one, to be counted there. Pure: times are arguments."""

    def __init__(self, *, window_s: float = _SERIES_S, remember: int = _REMEMBERED) -> None:
        self._window_s = window_s
        self._remember = remember
        self._series: OrderedDict[_Same, _Series] = OrderedDict()

    def count(self, event: Mapping[str, Any], now: float) -> tuple[Key, int]:
        """Return the key of the event to write and how often it has happened by now."""
        same = _Same(
            event["involvedObject"].get("uid", ""), event["type"], event["reason"], event["message"]
        )
        series = self._series.get(same)
        if series is None or now - series.last > self._window_s:
            metadata = event["metadata"]
            series = _Series(Key(metadata["namespace"], metadata["name"]), 0, now)
            self._series[same] = series
        series.count += 1
        series.last = now
        self._series.move_to_end(same)
        while len(self._series) > self._remember:
            self._series.popitem(last=False)
        return series.key, series.count

    def forget(self, key: Key) -> None:
        """Start anew with an event the API no longer has."""
        for same, series in self._series.items():
            if series.key == key:
                del self._series[same]
                return


def make_event(
    obj: Mapping[str, Any],
    type_: str,
    reason: str,
    message: str,
    *,
    component: str,
    now: float,
    suffix: str,
) -> Object:
    """Make a core/v1 Event about an object; ``now`` is in seconds since the epoch."""
    metadata = obj["metadata"]
    # Events about cluster-scoped objects live in "default", as everywhere in Kubernetes.
    namespace = metadata.get("namespace") or "default"
    stamp = _stamp(now)
    if len(message) > _MESSAGE_LENGTH:
        message = message[: _MESSAGE_LENGTH - 1] + "…"
    return {
        "apiVersion": "v1",
        "kind": "Event",
        "metadata": {"namespace": namespace, "name": f"{metadata['name'][:236]}.{suffix}"},
        "involvedObject": {
            "apiVersion": obj["apiVersion"],
            "kind": obj["kind"],
            "name": metadata["name"],
            "namespace": metadata.get("namespace", ""),
            "uid": metadata.get("uid", ""),
            "resourceVersion": metadata.get("resourceVersion", ""),
        },
        "type": type_,
        "reason": reason,
        "message": message,
        "source": {"component": component},
        "reportingComponent": component,
        "reportingInstance": "",
        "firstTimestamp": stamp,
        "lastTimestamp": stamp,
        "count": 1,
    }


class EventRecorder:
    """Writes events in the background.

    `emit` returns at once; when the API is slow or away, events beyond the queue are dropped and
    counted, as an event is never worth a reconcile. ``clock`` is in seconds since the epoch.
    """

    def __init__(
        self,
        client: KubeClient,
        component: str,
        *,
        clock: Callable[[], float] = time.time,
        suffix: Callable[[], str] = lambda: f"{random.getrandbits(64):016x}",
        queue_size: int = _QUEUED,
    ) -> None:
        self._client = client
        self._component = component
        self._clock = clock
        self._suffix = suffix
        self._series = EventSeries()
        self._queue: asyncio.Queue[Object] = asyncio.Queue(queue_size)
        self._task: asyncio.Task[None] | None = None
        self.dropped = 0

    def emit(self, obj: Mapping[str, Any], type_: str, reason: str, message: str) -> None:
        """Tell that something happened to ``obj``; ``type_`` is Normal or Warning."""
        event = make_event(
            obj,
            type_,
            reason,
            message,
            component=self._component,
            now=self._clock(),
            suffix=self._suffix(),
        )
        try:
            self._queue.put_nowait(event)
        except asyncio.QueueFull:
            self.dropped += 1

    async def start(self) -> None:
        """Start writing."""
        self._task = asyncio.create_task(self._run(), name=f"events of {self._component}")

    async def flush(self, timeout: float = 5.0) -> bool:
        """Wait until all events so far are written; say whether that was within ``timeout`` s."""
        try:
            async with asyncio.timeout(timeout):
                await self._queue.join()
        except TimeoutError:
            return False
        return True

    async def stop(self, grace_s: float = 2.0) -> None:
        """Write what is queued within the grace, then stop."""
        if self._task is None:
            return
        await self.flush(grace_s)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)
        self._task = None

    async def _run(self) -> None:
        while True:
            event = await self._queue.get()
            try:
                await self._write(event)
            except ApiError as error:
                self.dropped += 1
                logger.warning("event %s not written: %s", event["reason"], error)
            except Exception:
                self.dropped += 1
                logger.exception("event %s not written", event["reason"])
            finally:
                self._queue.task_done()

    async def _write(self, event: Object) -> None:
        key, count = self._series.count(event, self._clock())
        if count == 1:
            await self._client.create(event)
            return
        body = {"count": count, "lastTimestamp": event["lastTimestamp"]}
        try:
            await self._client.patch(EVENTS, key.name, body, namespace=key.namespace)
        except NotFoundError:
            # It expired in the API, which keeps events for an hour or so.
            self._series.forget(key)
            self._series.count(event, self._clock())
            await self._client.create(event)


def _stamp(now: float) -> str:
    return datetime.fromtimestamp(now, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")
