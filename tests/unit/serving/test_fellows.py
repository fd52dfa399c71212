"""Workers that follow each other's changes; here in one process, each with a data plane."""

from __future__ import annotations

import asyncio
import fcntl
import os
import signal
from collections.abc import Callable, Sequence
from contextlib import suppress
from typing import Any

import pytest

from predictors.serving import fellows
from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import (
    LoadFailedError,
    ModelLoadError,
    ModelNotFoundError,
    OverloadedError,
)
from predictors.serving.fellows import SharedChanges, Worker
from predictors.serving.model import Model
from predictors.serving.repository.source import ModelSource


class Shelf:
    """A repository of one model, which `make` makes."""

    def __init__(self, make: Callable[[], Model]) -> None:
        self.make = make

    def find(self) -> Sequence[ModelSource]:
        """The model."""
        return [ModelSource("double", "1", ".")]

    def load(self, source: ModelSource) -> Model:
        """A new one."""
        return self.make()


class Crew:
    """Workers that have started; the model of each."""

    def __init__(self, make: Any, workers: int) -> None:
        self.shared = SharedChanges(workers)
        self.shelves = [Shelf(make) for _ in range(workers)]
        self.planes = [DataPlane(["double"], repository=shelf) for shelf in self.shelves]
        self.tasks: list[asyncio.Task[None]] = []
        for index, plane in enumerate(self.planes):
            plane.publish(make())
            plane.fellows = worker = Worker(self.shared, index)
            self.tasks.append(asyncio.create_task(worker.follow(plane, 0)))

    @property
    def serving(self) -> list[bool]:
        """Who answers."""
        return ["double" in plane for plane in self.planes]

    async def end(self) -> None:
        for task in self.tasks:
            task.cancel()
            with suppress(asyncio.CancelledError):
                await task


async def test_all_follow_whoever_is_asked(make: Any) -> None:
    crew = Crew(make, 3)
    await asyncio.sleep(0)
    await crew.planes[1].unload("double")
    assert crew.serving == [False] * 3
    with pytest.raises(ModelNotFoundError):
        await crew.planes[0].unload("double")
    # Two at a time take turns.
    await asyncio.gather(crew.planes[2].load("double"), crew.planes[2].load("double"))
    assert crew.serving == [True] * 3
    assert crew.shared.told == 6
    await crew.end()


async def test_one_that_fails_is_named_and_the_others_are_loaded(make: Any) -> None:
    crew = Crew(make, 3)

    def broken() -> Model:
        raise ModelLoadError("no memory")

    crew.shelves[1].make = broken
    await asyncio.sleep(0)
    before = crew.planes[1].get("double")
    with pytest.raises(LoadFailedError, match=r"Of 3 workers, 1 did not follow"):
        await crew.planes[0].load("double")
    assert crew.planes[1].get("double") is before
    crew.shelves[1].make = make
    await crew.planes[0].load("double")
    assert crew.planes[1].get("double") is not before
    await crew.end()


async def test_what_fails_where_it_was_asked_is_done_nowhere(make: Any) -> None:
    crew = Crew(make, 2)

    def broken() -> Model:
        raise ModelLoadError("model.joblib is empty")

    crew.shelves[0].make = broken
    await asyncio.sleep(0)
    with pytest.raises(LoadFailedError, match=r"model\.joblib is empty"):
        await crew.planes[0].load("double")
    assert crew.shared.told == 0
    await crew.end()


async def test_the_dead_are_not_waited_for_and_their_successors_know(make: Any) -> None:
    crew = Crew(make, 2)
    await asyncio.sleep(0)
    crew.tasks[1].cancel()
    crew.shared.bury(1)
    await crew.planes[0].unload("double")
    assert Worker(crew.shared, 1).unloaded == {"double"}
    late = DataPlane(["double"], repository=crew.shelves[1])
    late.withhold("double")
    assert late.ready()
    assert late.index()[0].reason == "unloaded"
    await crew.end()


async def test_changes_of_several_models_are_all_followed(make: Any) -> None:
    crew = Crew(make, 2)
    await asyncio.sleep(0)
    shared = crew.shared
    # As when the second worker was slow: three changes at once, two of them of one model.
    for change, name in ((3, "double"), (5, "other"), (6, "double")):
        shared.tell(change, name)
    assert shared.since(0) == [(5, "other"), (6, "double")]
    assert shared.since(5) == [(6, "double")]
    assert Worker(shared, 1).unloaded == {"other"}
    before = crew.planes[1].get("double")
    await asyncio.wait_for(_followed(shared, 6), 10)
    assert crew.planes[1].get("double") is not before
    assert shared.failed(6) == []
    await crew.end()


async def _followed(shared: SharedChanges, change: int) -> None:
    while shared.behind(change, -1):
        await asyncio.sleep(0)


async def test_a_change_of_another_process_is_waited_for_so_long(
    make: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    crew = Crew(make, 2)
    told, tell = os.pipe()
    child = os.fork()
    if child == 0:
        fcntl.lockf(crew.shared.lock, fcntl.LOCK_EX)
        os.write(tell, b"1")
        while True:
            signal.pause()
    try:
        assert await asyncio.to_thread(os.read, told, 1)
        monkeypatch.setattr(fellows, "_PATIENCE_SECONDS", 0.05)
        with pytest.raises(OverloadedError, match="Another worker"):
            await crew.planes[0].unload("double")
        assert crew.serving == [True, True]
    finally:
        os.kill(child, signal.SIGKILL)
        os.waitpid(child, 0)
    await crew.planes[0].unload("double")  # a lock ends with its process
    assert crew.serving == [False, False]
    await crew.end()
