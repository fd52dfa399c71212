"""The process itself, under the names every Prometheus client uses; from Linux' /proc."""

from __future__ import annotations

import os
import resource
from pathlib import Path
from typing import Final

from rouse.daemon.registry import Family

__all__ = ["process_families"]

_PROC: Final = Path("/proc")


def process_families(proc: Path = _PROC) -> tuple[Family, ...]:
    """Return CPU, memory, open files and start of this process; nothing without a /proc."""
    try:
        text = (proc / "self/stat").read_text()
        boot = _boot_time((proc / "stat").read_text())
        files = len(os.listdir(proc / "self/fd"))
    except OSError:
        return ()
    # The name, in parentheses, may hold blanks and parentheses itself.
    fields = text.rpartition(")")[2].split()
    tick = os.sysconf("SC_CLK_TCK")
    most, _ = resource.getrlimit(resource.RLIMIT_NOFILE)
    return (
        _family(
            "counter",
            "process_cpu_seconds_total",
            "CPU time, user and system.",
            (int(fields[11]) + int(fields[12])) / tick,
        ),
        _family(
            "gauge",
            "process_resident_memory_bytes",
            "Resident memory.",
            int(fields[21]) * os.sysconf("SC_PAGE_SIZE"),
        ),
        _family("gauge", "process_virtual_memory_bytes", "Virtual memory.", int(fields[20])),
        _family("gauge", "process_open_fds", "Open file descriptors.", files),
        _family("gauge", "process_max_fds", "File descriptors there may be.", most),
        _family(
            "gauge",
            "process_start_time_seconds",
            "When it started, in seconds since the epoch.",
            boot + int(fields[19]) / tick,
        ),
    )


def _family(kind: str, name: str, text: str, value: float) -> Family:
    family = Family(kind, name, text)
    family.set(value)
    return family


def _boot_time(text: str) -> float:
    found = next((line for line in text.splitlines() if line.startswith("btime ")), "btime 0")
    return float(found.split()[1])
