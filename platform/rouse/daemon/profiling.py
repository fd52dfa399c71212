"""Profiles of the running process: where its time goes, what waits, what holds memory."""

from __future__ import annotations

import asyncio
import io
import sys
import threading
import tracemalloc
from collections import Counter
from collections.abc import Mapping
from http import HTTPStatus
from types import FrameType
from typing import Final

from rouse.daemon.server import Answer, Handler

__all__ = ["collapse", "profiling_routes", "sample_stacks"]

_MOST_S: Final = 120.0
_EVERY_S: Final = 0.01
_FRAMES: Final = 12
_LINES: Final = 50


def profiling_routes() -> dict[str, Handler]:
    """Return the paths below ``/debug/pprof``; one CPU profile is taken at a time."""
    sampling = asyncio.Lock()

    async def cpu(query: Mapping[str, str]) -> Answer:
        try:
            seconds = float(query.get("seconds", "10"))
        except ValueError:
            seconds = 0.0
        if not 0 < seconds <= _MOST_S:
            message = f"seconds must be a number above 0, at most {_MOST_S:g}\n"
            return Answer(message, HTTPStatus.BAD_REQUEST)
        if sampling.locked():
            return Answer("a profile is being taken\n", HTTPStatus.CONFLICT)
        async with sampling:
            stacks = await _sampled(seconds)
        lines = [f"{stack} {count}\n" for stack, count in stacks.most_common()]
        return Answer("".join(lines))

    return {
        "/debug/pprof/profile": cpu,
        "/debug/pprof/tasks": _tasks,
        "/debug/pprof/heap": _heap,
    }


async def _sampled(seconds: float) -> Counter[str]:
    stop = threading.Event()
    stacks: Counter[str] = Counter()
    sampler = threading.Thread(
        target=sample_stacks, args=(threading.get_ident(), stacks, stop), daemon=True
    )
    sampler.start()
    try:
        await asyncio.sleep(seconds)
    finally:
        stop.set()
    return stacks


def sample_stacks(
    thread: int, stacks: Counter[str], stop: threading.Event, every_s: float = _EVERY_S
) -> None:
    """Count the stacks of a thread, outermost frame first, until told to stop."""
    while not stop.wait(every_s):
        frame = sys._current_frames().get(thread)
        if frame is not None:
            stacks[collapse(frame)] += 1


def collapse(frame: FrameType | None) -> str:
    """Write a stack on one line, as flame graphs read it: ``outer;inner``."""
    names: list[str] = []
    while frame is not None:
        module = frame.f_globals.get("__name__", "?")
        names.append(f"{module}.{frame.f_code.co_qualname}")
        frame = frame.f_back
    return ";".join(reversed(names))


async def _tasks(_query: Mapping[str, str]) -> Answer:
    text = io.StringIO()
    for task in sorted(asyncio.all_tasks(), key=lambda one: one.get_name()):
        task.print_stack(limit=_FRAMES, file=text)
    return Answer(text.getvalue())


async def _heap(query: Mapping[str, str]) -> Answer:
    """Begin to trace with the first call: from then on, what was allocated and is still held."""
    if query.get("stop"):
        tracemalloc.stop()
        return Answer("tracing stopped\n")
    if not tracemalloc.is_tracing():
        tracemalloc.start(_FRAMES)
        return Answer("tracing from now on, which costs time: ask again later, ?stop=1 ends it\n")
    snapshot = await asyncio.to_thread(tracemalloc.take_snapshot)
    lines = [f"{one}\n" for one in snapshot.statistics("lineno")[:_LINES]]
    return Answer("".join(lines))
