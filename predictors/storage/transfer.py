"""Does what a plan says: parts on several connections, straight into files of their full size.

A folder of a download holds ``files/`` (what the model will be), ``archives/`` (what is to be
unpacked), and ``journal``. Called again for the same plan after a crash, it goes on where that
ended.
"""

from __future__ import annotations

import errno
import os
import shutil
import threading
from collections import Counter
from functools import partial
from pathlib import Path
from time import monotonic
from typing import Final

from predictors.storage.budget import Budget
from predictors.storage.checksums import verify
from predictors.storage.errors import ChecksumError, DiskFullError, TransientError
from predictors.storage.fetching import Progress
from predictors.storage.journal import Journal
from predictors.storage.plan import Download, Part, Plan
from predictors.storage.retry import retried
from predictors.storage.settings import TransferSettings
from predictors.storage.sources import Source
from predictors.storage.workers import run_all

__all__ = ["transfer"]

_TOLD_EVERY: Final = 1.0
_KEPT_FREE: Final = 16 * 1024 * 1024
_FULL: Final = (errno.ENOSPC, errno.EDQUOT)


def transfer(
    plan: Plan,
    source: Source,
    folder: Path,
    settings: TransferSettings,
    progress: Progress | None = None,
    budget: Budget | None = None,
) -> None:
    """Bring every file of the plan into the folder, complete and with the right checksum.

    What it takes is claimed of ``budget`` first. Raises `StorageError`; what was brought stays in
    the folder then, for the next call.
    """
    try:
        with Journal(folder / "journal", plan) as journal:
            _Transfer(plan, source, folder, settings, journal, progress, budget).run()
    except OSError as error:
        if error.errno in _FULL:
            raise DiskFullError(
                f"the disk of {folder} is full. Free some space, or give the volume more."
            ) from error
        raise


class _Transfer:
    def __init__(
        self,
        plan: Plan,
        source: Source,
        folder: Path,
        settings: TransferSettings,
        journal: Journal,
        progress: Progress | None,
        budget: Budget | None,
    ) -> None:
        self._budget = budget
        self._unsized = 0
        self._plan = plan
        self._source = source
        self._folder = folder
        self._settings = settings
        self._journal = journal
        self._stop = threading.Event()
        self._meter = _Meter(plan.total_bytes, progress)
        self._left = Counter[int]()
        self._lock = threading.Lock()

    def run(self) -> None:
        if not self._journal.resumed:
            for name in ("files", "archives"):
                shutil.rmtree(self._folder / name, ignore_errors=True)
        if self._budget is not None:
            self._budget.claim(self._plan.total_bytes)
        self._check_space()
        tasks = []
        for number, download in enumerate(self._plan.downloads):
            path = self._folder / download.target
            path.parent.mkdir(parents=True, exist_ok=True)
            if not path.exists() or path.stat().st_size != (download.file.size or 0):
                self._make(number, path, download.file.size)
            todo = [
                (index, part)
                for index, part in enumerate(download.parts)
                if (number, index) not in self._journal.done
            ]
            self._meter.add(sum(_length(part) for part in download.parts) - _lengths(todo))
            self._left[number] = len(todo)
            tasks += [partial(self._fetch, number, index, part) for index, part in todo]
        run_all(tasks, self._settings.connections, self._stop)
        self._meter.end()

    def _make(self, number: int, path: Path, size: int | None) -> None:
        """A new file of full size, of which nothing is done whatever the journal says."""
        self._journal.done = {each for each in self._journal.done if each[0] != number}
        # Sparse: reserving the blocks would write zeros where a file system cannot reserve. The
        # space was checked, and a disk that fills up is told.
        with path.open("wb") as file:
            file.truncate(size or 0)

    def _check_space(self) -> None:
        missing = [
            part
            for number, download in enumerate(self._plan.downloads)
            for index, part in enumerate(download.parts)
            if (number, index) not in self._journal.done
        ]
        needed = sum(map(_length, missing))
        free = shutil.disk_usage(self._folder).free
        if needed and free < needed + _KEPT_FREE:
            raise DiskFullError(
                f"{needed} bytes are to be downloaded, and {self._folder} has {free} bytes free. "
                "Free some space, or give the volume more."
            )

    def _fetch(self, number: int, index: int, part: Part) -> None:
        """Bring one part; after the last one of a file, check the file."""
        download = self._plan.downloads[number]
        reached = part.start

        def attempt() -> None:
            nonlocal reached
            if not download.file.ranged:
                self._meter.add(part.start - reached)
                reached = part.start
            fd = os.open(self._folder / download.target, os.O_WRONLY | os.O_CLOEXEC)
            try:
                if part.end is None:
                    os.ftruncate(fd, 0)
                for chunk in self._source.read(download.file, reached, part.end):
                    if self._stop.is_set():
                        return
                    if part.end is not None:
                        chunk = chunk[: part.end - reached]
                    elif self._budget is not None:
                        self._claim_more(len(chunk))
                    _write(fd, chunk, reached)
                    reached += len(chunk)
                    self._meter.add(len(chunk))
            finally:
                os.close(fd)
            if part.end is not None and reached < part.end:
                raise TransientError(
                    f"{download.file.path}: the download ended early, at byte {reached} of "
                    f"{part.end}"
                )

        retried(attempt, self._settings, self._stop)
        if self._stop.is_set():
            return
        with self._lock:
            self._left[number] -= 1
            last = self._left[number] == 0
        if last:
            self._finish(number, download)
        self._journal.write(number, index)

    def _claim_more(self, count: int) -> None:
        """Room for bytes of a file whose size the origin did not say."""
        with self._lock:
            self._unsized += count
            if self._budget is not None:
                self._budget.grow(self._plan.total_bytes + self._unsized)

    def _finish(self, number: int, download: Download) -> None:
        """Check a complete file. One that fails is fetched anew by the next call."""
        if not download.file.checksum:
            return
        path = self._folder / download.target
        try:
            verify(path, download.file.checksum, download.file.path)
        except ChecksumError:
            path.unlink()
            (self._folder / "journal").unlink(missing_ok=True)
            raise


class _Meter:
    """Counts bytes and tells them now and then."""

    def __init__(self, total: int, progress: Progress | None) -> None:
        self._total = total
        self._progress = progress
        self._done = 0
        self._told = monotonic()
        self._lock = threading.Lock()

    def add(self, count: int) -> None:
        if self._progress is None:
            return
        with self._lock:
            self._done += count
            now = monotonic()
            if now - self._told >= _TOLD_EVERY:
                self._told = now
                self._progress(self._done, self._total)

    def end(self) -> None:
        if self._progress is not None:
            with self._lock:
                self._progress(self._done, self._total)


def _write(fd: int, chunk: memoryview, offset: int) -> None:
    while len(chunk):
        written = os.pwrite(fd, chunk, offset)
        chunk = chunk[written:]
        offset += written


def _length(part: Part) -> int:
    return 0 if part.end is None else part.end - part.start


def _lengths(parts: list[tuple[int, Part]]) -> int:
    return sum(_length(part) for _, part in parts)
