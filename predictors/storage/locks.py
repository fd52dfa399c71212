"""One process at a time, with a deadline; a killed process lets go by itself."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from time import monotonic, sleep
from typing import Final

from predictors.serving.errors import StorageError

__all__ = ["held", "try_lock"]

_POLL_SECONDS: Final = 0.05


@contextmanager
def held(path: Path, deadline_s: float) -> Iterator[None]:
    """Hold the lock of a file for the block; raises `StorageError` after ``deadline_s`` seconds."""
    fd = _opened(path)
    try:
        until = monotonic() + deadline_s
        while not _taken(fd):
            if monotonic() >= until:
                raise StorageError(
                    f"another process has been fetching this model for {deadline_s:g} s "
                    f"(lock {path}). Try again later, or look at what holds it."
                )
            sleep(_POLL_SECONDS)
        yield
    finally:
        os.close(fd)


@contextmanager
def try_lock(path: Path) -> Iterator[bool]:
    """Whether the lock of a file was free; held for the block then."""
    fd = _opened(path)
    try:
        yield _taken(fd)
    finally:
        os.close(fd)


def _opened(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)


def _taken(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True
