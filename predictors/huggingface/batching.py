"""The queue before an encoder: what waits is run together, sequences of like length at a time.

Nobody waits for company: while a call runs, what arrives is queued, and the next call takes the
oldest of it with those of like length. A sequence joins where the padding it brings costs less
than a call of its own would.
"""

from __future__ import annotations

import asyncio
from bisect import bisect_left, insort
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from time import perf_counter
from typing import Any, Final, Generic, NamedTuple, TypeVar

from predictors.serving.errors import OverloadedError

__all__ = ["Batcher", "Outcome", "Sized"]

CALL_TOKENS: Final = 48
"""What a call costs besides its tokens, told in tokens: some 1 ms of a small model."""

_I = TypeVar("_I")
_R = TypeVar("_R")


class Sized(NamedTuple, Generic[_I]):
    """An item to run, and how many tokens it has."""

    item: _I
    tokens: int


class Outcome(NamedTuple, Generic[_R]):
    """Results in the order of the items; seconds waited and run; the most rows of a call."""

    results: list[_R]
    queue: float
    run: float
    rows: int


class _Request:
    """Items that are answered together; `future` is done early when nobody wants them."""

    __slots__ = ("future", "left", "queued", "results", "rows", "run", "waited")

    def __init__(self, count: int, future: asyncio.Future[None], now: float) -> None:
        self.results: list[Any] = [None] * count
        self.left = count
        self.future = future
        self.queued = now
        self.waited = self.run = 0.0
        self.rows = 0


class _Job:
    __slots__ = ("index", "item", "request", "serial", "taken", "tokens")

    def __init__(self, item: Any, tokens: int, request: _Request, index: int, serial: int) -> None:
        self.item = item
        self.tokens = tokens
        self.request = request
        self.index = index
        self.serial = serial
        self.taken = False

    def __lt__(self, other: _Job) -> bool:
        return (self.tokens, self.serial) < (other.tokens, other.serial)


class Batcher(Generic[_I, _R]):
    """Runs `call` on lists of items in a thread of its own. Methods run in the event loop.

    A call has at most `max_tokens`, padding included, unless one item alone has more. `max_waiting`
    bounds the items that wait.
    """

    def __init__(
        self,
        call: Callable[[list[_I]], list[_R]],
        *,
        name: str,
        max_tokens: int = 4096,
        max_waiting: int = 2048,
    ) -> None:
        self._call = call
        self._name = name
        self._max_tokens = max_tokens
        self._max_waiting = max_waiting
        self._oldest: deque[_Job] = deque()
        self._by_length: list[_Job] = []
        self._serial = 0
        self._running = False
        self._executor: ThreadPoolExecutor | None = None

    async def submit(self, items: Sequence[Sized[_I]]) -> Outcome[_R]:
        """Wait for the results. Raises `OverloadedError`, and what the call raises.

        An item of a caller that was cancelled is not run, unless it runs already.
        """
        waiting = len(self._by_length)
        if waiting and waiting + len(items) > self._max_waiting:
            raise OverloadedError(
                f"{waiting} texts wait for model {self._name} already; try again in a second."
            )
        loop = asyncio.get_running_loop()
        future: asyncio.Future[None] = loop.create_future()
        request = _Request(len(items), future, perf_counter())
        for index, (item, tokens) in enumerate(items):
            self._serial += 1
            job = _Job(item, tokens, request, index, self._serial)
            self._oldest.append(job)
            insort(self._by_length, job)
        if not self._running:
            # In the next turn of the loop: the neighbours that this turn still brings join.
            self._running = True
            loop.call_soon(self._next)
        try:
            await future
        except asyncio.CancelledError:
            future.cancel()
            self._forget(request)
            raise
        return Outcome(request.results, request.waited, request.run, request.rows)

    def close(self) -> None:
        """Let the thread end; what runs is finished first."""
        if self._executor is not None:
            self._executor.shutdown(wait=False)

    def _forget(self, request: _Request) -> None:
        self._by_length = [job for job in self._by_length if job.request is not request]
        self._oldest = deque(job for job in self._oldest if job.request is not request)

    def _next(self) -> None:
        jobs = self._take()
        self._running = bool(jobs)
        if not jobs:
            return
        loop = asyncio.get_running_loop()
        if self._executor is None:
            self._executor = ThreadPoolExecutor(1, f"encode-{self._name}")
        now = perf_counter()
        for job in jobs:
            job.request.waited = max(job.request.waited, now - job.request.queued)
        running = loop.run_in_executor(self._executor, self._timed, [job.item for job in jobs])
        running.add_done_callback(lambda done: self._ended(jobs, done))

    def _take(self) -> list[_Job]:
        """The jobs of one call: the oldest, and those next to it in length."""
        while self._oldest and self._oldest[0].taken:
            self._oldest.popleft()
        if not self._oldest:
            return []
        first = self._oldest.popleft()
        at = bisect_left(self._by_length, first)
        low, high = window([job.tokens for job in self._by_length], at, self._max_tokens)
        jobs = self._by_length[low:high]
        del self._by_length[low:high]
        for job in jobs:
            job.taken = True
        return jobs

    def _timed(self, items: list[_I]) -> tuple[list[_R], float]:
        started = perf_counter()
        results = self._call(items)
        return results, perf_counter() - started

    def _ended(self, jobs: list[_Job], done: asyncio.Future[tuple[list[_R], float]]) -> None:
        error = asyncio.CancelledError() if done.cancelled() else done.exception()
        if error is None:
            results, seconds = done.result()
            for job, result in zip(jobs, results, strict=True):
                request = job.request
                request.results[job.index] = result
                request.left -= 1
                request.run = max(request.run, seconds)
                request.rows = max(request.rows, len(jobs))
                if not request.left and not request.future.done():
                    request.future.set_result(None)
        else:
            failed = {id(job.request): job.request for job in jobs}
            for request in failed.values():
                self._forget(request)
                if not request.future.done():
                    request.future.set_exception(error)
        self._next()


def window(lengths: Sequence[int], at: int, max_tokens: int) -> tuple[int, int]:
    """The part of ascending `lengths` around `at` that is worth one call. Pure.

    Longer neighbours are taken while the padding they bring to all that is shorter costs less than
    a call; shorter ones while their own padding does.
    """
    low, high, longest = at, at + 1, lengths[at]
    while True:
        rows = high - low + 1
        up = lengths[high] if high < len(lengths) else max_tokens + 1
        cost_up = (up - longest) * (high - low)
        cost_down = longest - lengths[low - 1] if low else CALL_TOKENS + 1
        fits_up = cost_up <= CALL_TOKENS and up * rows <= max_tokens
        fits_down = cost_down <= CALL_TOKENS and longest * rows <= max_tokens
        if fits_up and (not fits_down or cost_up <= cost_down):
            high, longest = high + 1, up
        elif fits_down:
            low -= 1
        else:
            return low, high
