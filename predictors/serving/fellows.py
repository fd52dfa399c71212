"""Workers that load and unload models together, whichever of them is asked to.

What they are to do is a number in memory that they share: it grows with every change, and is odd
where a model is unloaded. Which model that is stands in a file that they share as well. Each worker
notes the number it has followed, so that who was asked knows when all have; one that died is not
waited for, and its successor starts by the file.
"""

from __future__ import annotations

import asyncio
import fcntl
import logging
import mmap
import os
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Final

import orjson

from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import LoadFailedError, ModelNotFoundError, OverloadedError

__all__ = ["SharedChanges", "Worker"]

_log = logging.getLogger(__name__)

_WORD: Final = 8
_NOBODY: Final = -1
_LOOK_SECONDS: Final = 0.02
_PATIENCE_SECONDS: Final = 600.0
"""For the change before this one, and for the others to follow: loading may take minutes."""


class SharedChanges:
    """What workers share; made before they are forked. None of it is ever closed."""

    def __init__(self, workers: int) -> None:
        self.workers = workers
        # Words of 64 bits: what is told; what each worker has followed; what each failed at last.
        self._words = memoryview(mmap.mmap(-1, (1 + 2 * workers) * _WORD)).cast("q")
        for index in range(workers):
            self.note(index, _NOBODY)
        # A lock of this kind is a process's, though all have the file open, and ends with it.
        self.lock = os.memfd_create("changes")
        # A line a change, some 30 bytes: its number and the model's name.
        self._names = os.memfd_create("names")
        self.bells = [os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC) for _ in range(workers)]

    @property
    def told(self) -> int:
        """The latest change; odd: unloaded."""
        return self._words[0]

    def tell(self, change: int, name: str) -> None:
        """Have all workers follow `change`, of a model. The caller has the lock."""
        end = os.fstat(self._names).st_size
        os.pwrite(self._names, orjson.dumps([change, name], option=orjson.OPT_APPEND_NEWLINE), end)
        self._words[0] = change
        for bell in self.bells:
            os.eventfd_write(bell, 1)

    def since(self, change: int) -> list[tuple[int, str]]:
        """The latest change of each model after `change`, and its name, in their order."""
        told, text = self.told, os.pread(self._names, os.fstat(self._names).st_size, 0)
        # The last line may still be written: it is not told yet.
        lines = text[: text.rfind(b"\n") + 1].splitlines()
        found = {name: number for number, name in map(orjson.loads, lines) if number <= told}
        return sorted((number, name) for name, number in found.items() if number > change)

    def followed(self, index: int) -> int:
        """The change that a worker has followed; negative where none serves."""
        return self._words[1 + index]

    def note(self, index: int, change: int, *, failed: bool = False) -> None:
        """Note that a worker has followed a change, or has tried to."""
        if failed:
            self._words[1 + self.workers + index] = change
        self._words[1 + index] = change

    def failed(self, change: int) -> list[int]:
        """The workers that could not follow it."""
        first = 1 + self.workers
        return [index for index in range(self.workers) if self._words[first + index] == change]

    def behind(self, change: int, leader: int) -> list[int]:
        """The workers, but for the one that leads, that have yet to follow it."""
        others = (index for index in range(self.workers) if index != leader)
        return [index for index in others if _NOBODY < self.followed(index) < change]

    def bury(self, index: int) -> None:
        """Wait for a worker no more: it is dead."""
        self.note(index, _NOBODY)


class Worker:
    """One of the workers, in its own process."""

    def __init__(self, shared: SharedChanges, index: int) -> None:
        self._shared = shared
        self._index = index
        self._turn = asyncio.Lock()
        self._led: set[int] = set()

    @property
    def told(self) -> int:
        """The latest change."""
        return self._shared.told

    @property
    def unloaded(self) -> frozenset[str]:
        """The models that the latest change of each has taken away."""
        return frozenset(name for change, name in self._shared.since(0) if change % 2)

    @asynccontextmanager
    async def changing(self, name: str, *, unloaded: bool) -> AsyncIterator[None]:
        """What is done to a model in the block is done by the others after it, unless it fails.

        Raises `OverloadedError` while another change takes its time, and `LoadFailedError` naming
        workers that did not follow.
        """
        shared = self._shared
        # The lock of the file is this process's: among its own requests it makes no difference.
        async with self._turn:
            await self._locked()
            try:
                yield
                change = (shared.told // 2 + 1) * 2 + unloaded
                self._led.add(change)
                shared.tell(change, name)
                await self._followed(change)
            finally:
                fcntl.lockf(shared.lock, fcntl.LOCK_UN)

    async def follow(self, plane: DataPlane, change: int) -> None:
        """Do what the workers are told, from `change` on, which is done; until cancelled."""
        shared, index = self._shared, self._index
        loop = asyncio.get_running_loop()
        rung = asyncio.Event()
        bell = shared.bells[index]
        shared.note(index, change)

        def heard() -> None:
            os.eventfd_read(bell)
            rung.set()

        loop.add_reader(bell, heard)
        try:
            while True:
                for change, name in shared.since(shared.followed(index)):
                    mine = change in self._led
                    done = mine or await _done(plane, name, unloaded=change % 2 == 1)
                    shared.note(index, change, failed=not done)
                self._led = {each for each in self._led if each > shared.followed(index)}
                await rung.wait()
                rung.clear()
        finally:
            loop.remove_reader(bell)

    async def _locked(self) -> None:
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE_SECONDS
        while True:
            try:
                fcntl.lockf(self._shared.lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError:
                if loop.time() > deadline:
                    raise OverloadedError(
                        "Another worker still loads or unloads a model."
                    ) from None
            else:
                return
            await asyncio.sleep(_LOOK_SECONDS)

    async def _followed(self, change: int) -> None:
        """Wait for the others."""
        shared = self._shared
        loop = asyncio.get_running_loop()
        deadline = loop.time() + _PATIENCE_SECONDS
        while True:
            behind = shared.behind(change, self._index)
            if not behind or loop.time() > deadline:
                break
            await asyncio.sleep(_LOOK_SECONDS)
        if missing := sorted({*behind, *shared.failed(change)}):
            raise LoadFailedError(
                f"Of {shared.workers} workers, {', '.join(map(str, missing))} did not follow: the "
                "log says why. They serve what they served before. Try again, or start anew."
            )


async def _done(plane: DataPlane, name: str, *, unloaded: bool) -> bool:
    try:
        if unloaded:
            await plane.unload_here(name)
        else:
            await plane.load_here(name)
    except ModelNotFoundError:
        return unloaded
    except LoadFailedError:
        return False  # logged
    except Exception:
        _log.exception("model %s cannot be %s", name, "unloaded" if unloaded else "loaded again")
        return False
    return True
