"""Requests to user code answered together, where the class or its settings ask for it.

By MLServer's names: ``max_batch_size`` rows, ``max_batch_time`` seconds that a request may wait for
company. Joined are requests whose inputs, parameters and wanted outputs differ in nothing but rows;
the code sees one request with the headers of the first.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any, Final, NamedTuple

from predictors.serving.errors import ModelLoadError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.scheduling.joining import SplitError, join, joinable, rows, split
from predictors.serving.settings import BatchSettings

__all__ = ["Batches", "batches_asked"]

_log = logging.getLogger(__name__)

_ROWS: Final = "instances"
_ANSWERS: Final = "predictions"

Answer = Callable[[InferenceRequest], Awaitable[InferenceResponse]]


def batches_asked(made: object, env: Mapping[str, str]) -> BatchSettings | None:
    """What an object's attributes ask for, else the component's ``batcher``; None: nothing.

    Raises `ModelLoadError` naming the attribute that is no number.
    """
    size, seconds = getattr(made, "max_batch_size", None), getattr(made, "max_batch_time", None)
    if not size and env.get("ROUSE_BATCH_MAX_SIZE"):
        size = env["ROUSE_BATCH_MAX_SIZE"]
        seconds = float(env.get("ROUSE_BATCH_MAX_LATENCY_MS") or 0) / 1e3
    try:
        settings = BatchSettings(int(size or 0), float(seconds or 0.0))
    except (TypeError, ValueError):
        raise ModelLoadError(
            f"{type(made).__qualname__}: max_batch_size and max_batch_time must be numbers, got "
            f"{size!r} and {seconds!r}."
        ) from None
    return settings if settings.max_size > 1 else None


class _Job(NamedTuple):
    request: InferenceRequest
    rows: int
    future: asyncio.Future[InferenceResponse]


@dataclass
class _Group:
    """Jobs that will be joined, and the timer that ends their waiting."""

    timer: asyncio.TimerHandle
    jobs: list[_Job] = field(default_factory=list)
    rows: int = 0


class Batches:
    """Gathers requests in the user's loop and asks `answer` once for several.

    A batch that fails is asked again one by one; answers that cannot be parted end the joining.
    """

    def __init__(self, name: str, settings: BatchSettings, answer: Answer) -> None:
        self._name = name
        self._settings = settings
        self._answer = answer
        self._groups: dict[Hashable, _Group] = {}
        self._running: set[asyncio.Task[None]] = set()
        self._apart = False

    async def __call__(self, request: InferenceRequest) -> InferenceResponse:
        """The answer to one request; raises what the user's code does."""
        key = None if self._apart else _key(request)
        if key is None:
            return await self._answer(request)
        loop = asyncio.get_running_loop()
        count = _count(request)
        group = self._groups.get(key)
        if group is not None and group.rows + count > self._settings.max_size:
            self._flush(key)
            group = None
        if group is None:
            timer = loop.call_later(self._settings.max_latency_s, self._flush, key)
            group = self._groups[key] = _Group(timer)
        job = _Job(request, count, loop.create_future())
        group.jobs.append(job)
        group.rows += count
        if group.rows >= self._settings.max_size:
            self._flush(key)
        return await job.future

    def _flush(self, key: Hashable) -> None:
        group = self._groups.pop(key)
        group.timer.cancel()
        task = asyncio.get_running_loop().create_task(self._run(group.jobs))
        self._running.add(task)
        task.add_done_callback(self._running.discard)

    async def _run(self, jobs: Sequence[_Job]) -> None:
        wanted = [job for job in jobs if not job.future.done()]
        if len(wanted) > 1 and await self._together(wanted):
            return
        for job in wanted:
            try:
                response = await self._answer(job.request)
            except Exception as error:
                if not job.future.done():
                    job.future.set_exception(error)
            else:
                _settle(job, response)

    async def _together(self, jobs: Sequence[_Job]) -> bool:
        try:
            response = await self._answer(_joined([job.request for job in jobs]))
            parts = _parted(response, [job.rows for job in jobs])
        except SplitError as error:
            _log.warning("model %s is not batched any more: %s", self._name, error)
            self._apart = True
            return False
        except Exception as error:
            _log.debug("model %s failed on a batch of %d: %s", self._name, len(jobs), error)
            return False
        for job, part in zip(jobs, parts, strict=True):
            part.batch_rows = sum(each.rows for each in jobs)
            _settle(job, part)
        return True


def _settle(job: _Job, response: InferenceResponse) -> None:
    if not job.future.done():
        job.future.set_result(response)


def _key(request: InferenceRequest) -> Hashable | None:
    told = repr(sorted(request.parameters.items()))
    if request.payload is None:
        key = joinable(request)
        return None if key is None else (key, told)
    return (_ROWS, told) if _instances(request) else None


def _instances(request: InferenceRequest) -> list[Any] | None:
    """The rows of a V1 body that has nothing else."""
    body = request.payload
    found = body.get(_ROWS) if isinstance(body, dict) and len(body) == 1 else None
    return found if isinstance(found, list) and found else None


def _count(request: InferenceRequest) -> int:
    return rows(request) if request.payload is None else len(_instances(request) or ())


def _joined(requests: Sequence[InferenceRequest]) -> InferenceRequest:
    first = requests[0]
    joined = InferenceRequest(
        (), outputs=first.outputs, parameters=first.parameters, headers=first.headers
    )
    if first.payload is None:
        joined.inputs = join(requests)
    else:
        joined.payload = {_ROWS: [row for each in requests for row in _instances(each) or ()]}
    return joined


def _parted(response: InferenceResponse, sizes: Sequence[int]) -> list[InferenceResponse]:
    """The answers of each request. Raises `SplitError`."""
    if response.payload is None:
        return [replace(response, outputs=part) for part in split(response.outputs, sizes)]
    body: dict[str, Any] = response.payload if isinstance(response.payload, dict) else {}
    answers = body.get(_ANSWERS)
    if not isinstance(answers, list) or len(answers) != sum(sizes):
        raise SplitError(f'the answer\'s "{_ANSWERS}" are not one for each of {sum(sizes)} rows')
    parts, start = [], 0
    for size in sizes:
        payload = {**body, _ANSWERS: answers[start : start + size]}
        parts.append(replace(response, payload=payload))
        start += size
    return parts
