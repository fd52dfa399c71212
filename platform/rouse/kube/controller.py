"""Workers that reconcile keys: level-based, with a deadline, never giving up on a failure."""

from __future__ import annotations

import asyncio
import logging
from collections import Counter
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final, TypeAlias

from rouse.errors import ApiError, RouseError, TooManyRequestsError
from rouse.kube.backoff import Backoff
from rouse.kube.objects import Key, key_of
from rouse.kube.queue import QueueShutDown, WorkQueue

__all__ = ["Controller", "Outcome", "Reconcile", "Reconciled", "Requeue"]

logger = logging.getLogger(__name__)

_DEADLINE_S: Final = 60.0
_PATIENCE: Final = 3
"""After more failures in a row than this, changes no longer bring a key back at once."""
_SPACING_S: Final = 1.0


@dataclass(frozen=True, slots=True)
class Requeue:
    """A reconcile's wish to be called again for the same key, in seconds."""

    after_s: float


Reconcile: TypeAlias = Callable[[Key], Awaitable[Requeue | None]]


class Outcome(StrEnum):
    """How a reconcile ended."""

    DONE = "done"
    CONFLICT = "conflict"
    FAILED = "failed"
    TIMEOUT = "timeout"
    BROKEN = "broken"
    """An exception nobody expected: a bug."""


@dataclass(frozen=True, slots=True)
class Reconciled:
    """One finished reconcile, for metrics."""

    controller: str
    key: Key
    outcome: Outcome
    seconds: float
    waiting: int
    """Keys that were waiting when it ended."""
    reason: str = ""
    """Why it failed: the API's reason, or the kind of error. Empty when it did not."""


class Controller:
    """Calls ``reconcile(key)`` for every enqueued key, one call per key at a time.

    A failure is retried with exponential backoff for as long as it lasts. A change brings a failing
    key back sooner, yet not at once: what its own failures change must not keep it busy.
    ``observe`` is called in the loop after every reconcile, ``waited`` with the seconds that each
    key was in line. Each call gets at most ``deadline`` seconds.
    """

    def __init__(
        self,
        name: str,
        reconcile: Reconcile,
        *,
        workers: int = 4,
        deadline: float = _DEADLINE_S,
        backoff: Backoff | None = None,
        observe: Callable[[Reconciled], None] | None = None,
        waited: Callable[[float], None] | None = None,
    ) -> None:
        self.name = name
        self.queue: WorkQueue[Key] = WorkQueue(
            backoff=backoff or Backoff(jitter=0.1), waited=waited
        )
        self.outcomes: Counter[Outcome] = Counter()
        self._reconcile = reconcile
        self._workers = workers
        self._deadline = deadline
        self._observe = observe
        self._tasks: list[asyncio.Task[None]] = []

    def enqueue(self, key: Key, *, after_s: float = 0.0) -> None:
        """Ask for a reconcile of ``key``, now or after some seconds."""
        if self.queue.failures(key) > _PATIENCE:
            after_s = max(after_s, _SPACING_S)
        self.queue.add_after(key, after_s)

    def on_event(self, _type: object, obj: Mapping[str, Any]) -> None:
        """Enqueue an object of an informer: the handler for a controller's own kind."""
        self.enqueue(key_of(obj))

    async def start(self) -> None:
        """Start the workers."""
        self._tasks = [
            asyncio.create_task(self._work(), name=f"{self.name} worker {index}")
            for index in range(self._workers)
        ]

    async def stop(self, grace_s: float = 5.0) -> None:
        """Take no more keys, let the running reconciles end within the grace, then cancel them."""
        self.queue.shut_down()
        if self._tasks:
            _, late = await asyncio.wait(self._tasks, timeout=grace_s)
            for task in late:
                task.cancel()
            await asyncio.gather(*self._tasks, return_exceptions=True)
        self._tasks = []

    async def _work(self) -> None:
        while True:
            try:
                key = await self.queue.get()
            except QueueShutDown:
                return
            try:
                await self._process(key)
            finally:
                self.queue.done(key)
            # At rest a reconcile waits for nothing: thousands in a row would let nothing else run,
            # not even the renewal of the Lease.
            await asyncio.sleep(0)

    async def _process(self, key: Key) -> None:
        clock = asyncio.get_running_loop().time
        began = clock()
        at_least = 0.0
        requeue: Requeue | None = None
        reason = ""
        try:
            async with asyncio.timeout(self._deadline):
                requeue = await self._reconcile(key)
            outcome = Outcome.DONE
        except TimeoutError:
            outcome, reason = Outcome.TIMEOUT, "Timeout"
            message = "%s %s: no end within %g s"
            logger.warning(message, self.name, key, self._deadline, extra=self._fields(key, reason))
        except ApiError as error:
            outcome = Outcome.CONFLICT if error.status == 409 else Outcome.FAILED
            reason = error.reason or type(error).__name__
            at_least = error.retry_after if isinstance(error, TooManyRequestsError) else 0.0
            self._log_failure(key, error, outcome, reason)
        except RouseError as error:
            outcome, reason = Outcome.FAILED, type(error).__name__
            self._log_failure(key, error, outcome, reason)
        except Exception as error:
            outcome, reason = Outcome.BROKEN, type(error).__name__
            message = "%s %s: the reconcile broke"
            logger.exception(message, self.name, key, extra=self._fields(key, reason))
        self._schedule(key, outcome, requeue, at_least)
        self.outcomes[outcome] += 1
        if self._observe is not None:
            seconds = clock() - began
            waiting = len(self.queue)
            self._observe(Reconciled(self.name, key, outcome, seconds, waiting, reason))

    def _schedule(
        self, key: Key, outcome: Outcome, requeue: Requeue | None, at_least: float
    ) -> None:
        if outcome is not Outcome.DONE:
            self.queue.retry(key, at_least=at_least)
            return
        self.queue.forget(key)
        if requeue is not None:
            self.queue.add_after(key, requeue.after_s)

    def _log_failure(self, key: Key, error: RouseError, outcome: Outcome, reason: str) -> None:
        # A conflict is everyday life: someone else wrote first, and the next try sees it.
        level = logging.DEBUG if outcome is Outcome.CONFLICT else logging.WARNING
        what = (self.name, key, type(error).__name__, error)
        logger.log(level, "%s %s: %s: %s", *what, extra=self._fields(key, reason))

    def _fields(self, key: Key, reason: str) -> dict[str, object]:
        """What a structured log says beside the message."""
        return {
            "controller": self.name,
            "object": str(key),
            "reason": reason,
            "failures": self.queue.failures(key) + 1,
        }
