"""What the kernel says of this process, by the names of Prometheus' own client."""

from __future__ import annotations

import os
import resource
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from predictors.serving.metrics.histogram import head

__all__ = ["process_lines", "started_at"]

_PROC: Final = Path("/proc/self")
_START_FIELD: Final = 19
"""Index of ``starttime`` behind the name of the program in ``/proc/self/stat``."""


def process_lines() -> Iterator[str]:
    """The samples; on a system without ``/proc`` those of the CPU alone."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    seconds = used.ru_utime + used.ru_stime
    yield from _sample(
        "process_cpu_seconds_total", "counter", "User and system CPU time in seconds.", seconds
    )
    try:
        virtual, resident = (_PROC / "statm").read_text().split()[:2]
        descriptors = len(os.listdir(_PROC / "fd"))
    except OSError:
        return
    page = os.sysconf("SC_PAGE_SIZE")
    limit, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    for name, text, value in (
        ("virtual_memory_bytes", "Virtual memory in bytes.", int(virtual) * page),
        ("resident_memory_bytes", "Resident memory in bytes.", int(resident) * page),
        ("open_fds", "Open file descriptors.", descriptors),
        ("max_fds", "Most file descriptors that may be open.", limit),
        ("start_time_seconds", "Start of the process in seconds since 1970.", started_at()),
    ):
        yield from _sample(f"process_{name}", "gauge", text, value)


def started_at() -> float:
    """When this process was started or forked, in seconds since 1970; 0 where nobody says."""
    try:
        fields = (_PROC / "stat").read_text().rpartition(")")[2].split()
    except OSError:
        return 0.0
    since_boot = int(fields[_START_FIELD]) / os.sysconf("SC_CLK_TCK")
    return time.time() - (time.clock_gettime(time.CLOCK_BOOTTIME) - since_boot)


def _sample(name: str, kind: str, text: str, value: float) -> Iterator[str]:
    yield from head(name, kind, text)
    yield f"{name} {value!r}"
