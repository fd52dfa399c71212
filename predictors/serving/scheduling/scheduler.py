"""The queue before one model, and what is taken from it.

A cheap model runs in the event loop, because handing a request to a thread costs more than such a
model does. A dear one runs in its own threads, and what arrives meanwhile waits; if the model's
rows can be joined, all that waits is then asked in one call.
"""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import Hashable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Final

from predictors.serving.errors import DeadlineError, OverloadedError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.metrics import ModelMetrics
from predictors.serving.model import BatchSettings, Model
from predictors.serving.scheduling.joining import joinable, rows
from predictors.serving.scheduling.running import Ran, run_all

__all__ = ["CHEAP_SECONDS", "DEAR_SECONDS", "Scheduler", "late"]

CHEAP_SECONDS: Final = 0.00015
"""Below this cost a call is never worth joining with others."""

DEAR_SECONDS: Final = 0.005
"""From this cost on a call would keep the event loop from answering health checks."""

_WEIGHT: Final = 0.2


class _Job:
    """A request that waits; `future` is done early when it expires or nobody wants it."""

    __slots__ = ("future", "queued", "request", "rows")

    def __init__(
        self, request: InferenceRequest, count: int, future: asyncio.Future[InferenceResponse]
    ) -> None:
        self.request = request
        self.rows = count
        self.future = future
        self.queued = future.get_loop().time()


@dataclass(slots=True)
class _Group:
    """Jobs that can be joined with each other; alone, if `joins` is False."""

    joins: bool
    jobs: deque[_Job] = field(default_factory=deque)
    rows: int = 0


class Scheduler:
    """Runs one model. All methods are called in the event loop.

    `cost` is a moving average of the seconds of one call; `waiting` counts the queue.
    """

    def __init__(
        self,
        model: Model,
        metrics: ModelMetrics,
        batch: BatchSettings,
        *,
        threads: int,
        max_waiting: int,
    ) -> None:
        self._model = model
        self._metrics = metrics
        self._batch = batch
        self._joins = model.batchable and batch.max_size > 1
        # Threads beside a joined call would only take the interpreter's lock from it.
        self._slots = 1 if self._joins and not model.gil_free else threads
        self._max_waiting = max_waiting
        self._groups: dict[Hashable, _Group] = {}
        self._running = 0
        self._wakeup: asyncio.Handle | None = None
        self._executor: ThreadPoolExecutor | None = None
        self._ending: asyncio.Event | None = None
        self.cost = 0.0
        self.waiting = 0

    def inline(self, in_flight: int) -> bool:
        """Whether a request should run at once, where it is.

        `in_flight` counts the requests to this model that are being read or answered: one in
        company waits until its neighbours of the same turn of the loop are there.
        """
        if self._joins:
            if self._batch.max_latency_s:
                return False
            if self.cost < CHEAP_SECONDS:
                return True
            return self.cost < DEAR_SECONDS and in_flight <= 1 and not self._running
        return self.cost < DEAR_SECONDS

    def spent(self, seconds: float) -> None:
        """Learn what a call cost."""
        self.cost += (seconds - self.cost) * _WEIGHT

    async def submit(self, request: InferenceRequest) -> InferenceResponse:
        """Wait for a turn, and for the answer. Raises `RequestError`.

        Cancelled, or after its deadline, a request that still waits is never run.
        """
        if self.waiting >= self._max_waiting:
            raise OverloadedError(
                f"{self.waiting} requests wait for model {self._model.name} already; "
                "try again in a second."
            )
        loop = asyncio.get_running_loop()
        key = joinable(request, self._model.padding) if self._joins else None
        future: asyncio.Future[InferenceResponse] = loop.create_future()
        job = _Job(request, rows(request) if key is not None else 1, future)
        self._put(job, key)
        timer = None
        if request.deadline is not None:
            timer = loop.call_at(request.deadline, _expire, future, self._model.name)
        try:
            return await future
        finally:
            if timer is not None:
                timer.cancel()

    async def idle(self) -> None:
        """Wait until no thread calls the model."""
        while self._running:
            self._ending = asyncio.Event()
            await self._ending.wait()

    def close(self) -> None:
        """Let the threads end; what runs is finished first."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)

    def _put(self, job: _Job, key: Hashable | None) -> None:
        joins = key is not None
        group = self._groups.setdefault(key if joins else object(), _Group(joins))
        group.jobs.append(job)
        group.rows += job.rows
        self.waiting += 1
        if self._running < self._slots:
            self._arm(0.0)

    def _arm(self, seconds: float) -> None:
        """Look at the queue in `seconds`; 0 is after what this turn of the loop still brings."""
        if self._wakeup is not None:
            self._wakeup.cancel()
        loop = asyncio.get_running_loop()
        if seconds:
            self._wakeup = loop.call_later(seconds, self._flush)
        else:
            self._wakeup = loop.call_soon(self._flush)

    def _flush(self) -> None:
        self._wakeup = None
        while self._running < self._slots:
            jobs = self._take()
            if not jobs:
                return
            self._start(jobs)

    def _take(self) -> list[_Job]:
        """The jobs of one call: of the first group that is full or has waited long enough."""
        now = asyncio.get_running_loop().time()
        patience = None
        for key, group in list(self._groups.items()):
            due = group.jobs[0].queued + self._batch.max_latency_s
            if group.joins and group.rows < self._batch.max_size and now < due:
                patience = min(due - now, patience or due - now)
                continue
            del self._groups[key]
            jobs = self._cut(group)
            if group.jobs:
                self._groups[key] = group  # behind the others
            if jobs:
                return jobs
        if patience is not None:
            self._arm(patience)
        return []

    def _cut(self, group: _Group) -> list[_Job]:
        jobs: list[_Job] = []
        size = 0
        while group.jobs and (not jobs or size + group.jobs[0].rows <= self._batch.max_size):
            job = group.jobs.popleft()
            self.waiting -= 1
            group.rows -= job.rows
            if not job.future.done():
                jobs.append(job)
                size += job.rows
        return jobs

    def _start(self, jobs: list[_Job]) -> None:
        loop = asyncio.get_running_loop()
        now = loop.time()
        self._metrics.started(sum(job.rows for job in jobs), self.waiting)
        waits = [now - job.queued for job in jobs]
        requests = [job.request for job in jobs]
        if self.cost < DEAR_SECONDS:
            self._finish(jobs, waits, run_all(self._model, requests))
            return
        self._running += 1
        if self._executor is None:
            self._executor = ThreadPoolExecutor(self._slots, f"predict-{self._model.name}")
        running = loop.run_in_executor(self._executor, run_all, self._model, requests)
        running.add_done_callback(lambda done: self._ended(jobs, waits, done))

    def _ended(self, jobs: list[_Job], waits: list[float], done: asyncio.Future[Ran]) -> None:
        self._running -= 1
        if self._ending is not None and not self._running:
            self._ending.set()
        if done.cancelled():
            for job in jobs:
                job.future.cancel()
            return
        error = done.exception()
        if error is None:
            self._finish(jobs, waits, done.result())
        else:
            for job in jobs:
                if not job.future.done():
                    job.future.set_exception(error)
        self._flush()

    def _finish(self, jobs: list[_Job], waits: list[float], ran: Ran) -> None:
        self._joins = self._joins and ran.splits
        self.spent(ran.seconds)
        together = sum(job.rows for job in jobs)
        for job, wait, outcome in zip(jobs, waits, ran.outcomes, strict=True):
            if job.future.done():
                continue
            if isinstance(outcome, InferenceResponse):
                outcome.queue = wait
                outcome.batch_rows = together
                job.future.set_result(outcome)
            else:
                job.future.set_exception(outcome)


def late(name: str) -> DeadlineError:
    """The error of a request to model `name` whose time is over."""
    return DeadlineError(f"Model {name} did not answer within the time this request was given.")


def _expire(future: asyncio.Future[InferenceResponse], name: str) -> None:
    if not future.done():
        future.set_exception(late(name))
