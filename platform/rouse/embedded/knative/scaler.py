"""Scales every revision: scrapes, ticks, wakes at once, and puts to sleep without losing a request.

To sleep: the endpoints switch to the activator, the gateway confirms, the grace passes, a fresh
look finds nothing in flight, and only then, in one step of the event loop, do the replicas retire.
A request in between is at the activator by then, and turns all of it back.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Final

from rouse.autoscaler import Activity, Verdict
from rouse.autoscaler.revision import Asked, RevisionScaler
from rouse.embedded.knative.names import deployment_name, revision_key_of_deployment
from rouse.embedded.knative.ports import Clock, Mesh
from rouse.embedded.knative.replicas import Replicas
from rouse.errors import RouseError
from rouse.kube.objects import Key

__all__ = ["Scaler"]

logger = logging.getLogger(__name__)

SCRAPE_S: Final = 1.0
TICK_EVERY: Final = 2
"""Scrapes from one decision to the next: the autoscaler's tick is 2 s."""


@dataclass(frozen=True, slots=True)
class _NoRequests:
    """What a Service that the gateway has never seen a request of would report."""

    active: int = 0
    total: int = 0


_NOTHING: Final = _NoRequests()


class Scaler:
    """All revisions' scalers, by the revision's key.

    ``settled(key)`` waits, for a bounded time, until the gateway sends a revision's requests where
    they should go; ``publish(key)`` asks for that to be written. ``changed(key)`` is called after
    every change a status should show.
    """

    def __init__(
        self,
        replicas: Replicas,
        mesh: Mesh,
        clock: Clock,
        *,
        publish: Callable[[Key], None],
        settled: Callable[[Key], Awaitable[bool]],
        changed: Callable[[Key], None],
    ) -> None:
        self._replicas = replicas
        self._mesh = mesh
        self._clock = clock
        self._publish = publish
        self._settled = settled
        self._changed = changed
        self._scalers: dict[Key, RevisionScaler] = {}
        self._busy: dict[Key, asyncio.Task[None]] = {}
        self._shown: dict[Key, tuple[object, ...]] = {}
        replicas.on_change(self._replicas_changed)

    # Which revisions

    def ensure(self, key: Key, asked: Asked, *, initialized: bool) -> RevisionScaler:
        """Scale this revision from now on, or take over its changed settings."""
        known = self._scalers.get(key)
        if known is not None:
            if known.asked != asked:
                known.configure(asked)
                self._apply(key, known, known.judge(self._clock.now(), self._ready(key)))
            return known
        new = RevisionScaler(
            asked,
            now=self._clock.now(),
            replicas=self._wanted(key),
            initialized=initialized,
        )
        self._scalers[key] = new
        self._apply(key, new, new.judge(self._clock.now(), self._ready(key)))
        return new

    def forget(self, key: Key) -> None:
        """Stop scaling a revision that is gone."""
        self._scalers.pop(key, None)
        self._shown.pop(key, None)
        busy = self._busy.pop(key, None)
        if busy is not None:
            busy.cancel()

    def get(self, key: Key) -> RevisionScaler | None:
        """The scaler of a revision."""
        return self._scalers.get(key)

    def in_path(self, key: Key) -> bool:
        """Whether the activator takes all requests of a revision."""
        found = self._scalers.get(key)
        return found is None or found.in_path

    # What happens

    def poke(self, key: Key) -> None:
        """A request is at the activator: replicas are launched before this returns."""
        scaler = self._scalers.get(key)
        if scaler is None:
            return
        verdict = scaler.poke(self._clock.now(), self._ready(key))
        if verdict is not None:
            self._apply(key, scaler, verdict)

    async def scrape(self) -> None:
        """Take in the gateway's statistics for every revision that is awake."""
        awake = [(key, one) for key, one in self._scalers.items() if not self._asleep(key, one)]
        if not awake:
            return
        stats = await self._mesh.stats()
        now = self._clock.now()
        for key, scaler in awake:
            scaler.record(now, stats.get(key, _NOTHING))

    def tick(self) -> None:
        """Decide for every revision that is awake."""
        now = self._clock.now()
        for key, scaler in list(self._scalers.items()):
            if not self._asleep(key, scaler):
                self._apply(key, scaler, scaler.tick(now, self._ready(key)))

    async def run(self) -> None:
        """Scrape and tick until cancelled."""
        loop = asyncio.get_running_loop()
        due, count = loop.time(), 0
        while True:
            due = max(due + SCRAPE_S, loop.time())
            await asyncio.sleep(due - loop.time())
            count += 1
            try:
                async with asyncio.timeout(SCRAPE_S):
                    await self.scrape()
            except (RouseError, TimeoutError) as error:
                logger.warning("the gateway's statistics are not to be had: %s", error)
            except Exception:
                logger.exception("scrape")
            if count % TICK_EVERY == 0:
                try:
                    self.tick()
                except Exception:
                    logger.exception("tick")

    async def stop(self) -> None:
        """Give up what is under way; replicas stay as they are."""
        busy = list(self._busy.values())
        for task in busy:
            task.cancel()
        await asyncio.gather(*busy, return_exceptions=True)

    # Carrying out

    def _apply(self, key: Key, scaler: RevisionScaler, verdict: Verdict) -> None:
        wanted = self._wanted(key)
        self._show(key, scaler)
        if verdict.replicas:
            if verdict.replicas != wanted:
                self._replicas.scale_to(_deployment(key), verdict.replicas)
        elif verdict.replicas == 0 and wanted:
            if verdict.gave_up:
                scaler.fell_asleep()
                self._replicas.scale_to(_deployment(key), 0)
            else:
                self._begin(key, self._retire_last(key, scaler))
        elif scaler.activity is Activity.INACTIVE and wanted and not scaler.confirmed:
            self._begin(key, self._confirm(key, scaler))

    def _show(self, key: Key, scaler: RevisionScaler) -> None:
        """Have endpoints and statuses written if what they say has changed."""
        late = scaler.late(self._clock.now())
        endpoints = self._replicas.endpoints(_deployment(key))
        shows = (scaler.in_path, endpoints, scaler.activity, scaler.want, scaler.initialized, late)
        before = self._shown.get(key)
        if shows == before:
            return
        self._shown[key] = shows
        if before is None or shows[:2] != before[:2]:
            self._publish(key)
        self._changed(key)

    def _begin(self, key: Key, work: Coroutine[None, None, None]) -> None:
        """Do something slow about a revision, one thing at a time; the next tick asks again."""
        if key in self._busy:
            work.close()
            return
        task = asyncio.get_running_loop().create_task(work, name=f"scaler {key}")
        self._busy[key] = task
        task.add_done_callback(lambda done: self._ended(key, done))

    def _ended(self, key: Key, task: asyncio.Task[None]) -> None:
        if self._busy.get(key) is task:
            del self._busy[key]
        if not task.cancelled() and task.exception() is not None:
            logger.warning("%s: %s; trying again", key, task.exception())

    async def _confirm(self, key: Key, scaler: RevisionScaler) -> None:
        """Wait until the gateway sends every request to the activator."""
        since = scaler.since
        if not await self._settled(key):
            logger.warning("%s: the gateway does not yet send requests to the activator", key)
        elif scaler.activity is Activity.INACTIVE and scaler.since == since:
            scaler.confirmed = True

    async def _retire_last(self, key: Key, scaler: RevisionScaler) -> None:
        """Look once more, then let the last replicas go."""
        epoch, since = scaler.epoch, scaler.since
        stats = (await self._mesh.stats()).get(key)
        if (
            self._scalers.get(key) is not scaler
            or scaler.activity is not Activity.INACTIVE
            or (scaler.epoch, scaler.since) != (epoch, since)
        ):
            return
        # No await from here on: nothing can come in between.
        if scaler.quiet(stats):
            scaler.fell_asleep()
            self._replicas.scale_to(_deployment(key), 0)
        else:
            self.poke(key)

    def _replicas_changed(self, deployment: Key) -> None:
        key = revision_key_of_deployment(deployment)
        scaler = self._scalers.get(key) if key is not None else None
        if key is not None and scaler is not None:
            self._apply(key, scaler, scaler.judge(self._clock.now(), self._ready(key)))

    def _asleep(self, key: Key, scaler: RevisionScaler) -> bool:
        return scaler.activity is Activity.INACTIVE and self._wanted(key) == 0

    def _wanted(self, key: Key) -> int:
        return self._replicas.wanted(_deployment(key))

    def _ready(self, key: Key) -> int:
        return len(self._replicas.ready(_deployment(key)))


def _deployment(key: Key) -> Key:
    return Key(key.namespace, deployment_name(key.name))
