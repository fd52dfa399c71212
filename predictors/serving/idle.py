"""What a process that stands idle gives back: memory that was freed, and that the allocator keeps.

glibc keeps what calls have freed for the next ones, in an arena for each thread. A replica of
MiniLM that has been busy holds 5 MB so, whether it is asked again in a second or tonight.
"""

from __future__ import annotations

import ctypes
import time
from collections.abc import Callable
from typing import Any, Final

__all__ = ["Idle", "release"]

# Found when this is imported, so that a forked child need not look for it.
_trim: Final[Any] = getattr(ctypes.CDLL(None), "malloc_trim", None)

_QUIET_S: Final = 0.02
"""Processor time between two sweeps below which a process is idle."""
_WORTH_S: Final = 0.1
"""Processor time after which there may be something to give back."""


def release() -> None:
    """Give whole free pages back: 1 ms here, and 1 ms of the calls that want them again.

    Does nothing with a C library other than glibc.
    """
    if _trim is not None:
        _trim(0)


class Idle:
    """Releases memory once after each time that a process has been busy.

    `clock` gives the seconds of processor time that it has used.
    """

    def __init__(
        self,
        clock: Callable[[], float] = time.process_time,
        release: Callable[[], None] = release,
    ) -> None:
        self._clock = clock
        self._release = release
        self._seen = clock()
        self._released = 0.0

    def sweep(self) -> None:
        """Look whether the process has been idle since the last time; once a second will do."""
        seen, self._seen = self._seen, self._clock()
        if self._seen - seen < _QUIET_S and self._seen - self._released >= _WORTH_S:
            self._release()
            self._released = self._seen = self._clock()
