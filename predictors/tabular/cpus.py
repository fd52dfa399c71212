"""How many threads a framework should use: the cores this process may, not those there are."""

from __future__ import annotations

import math
import os
from pathlib import Path
from typing import Final

__all__ = ["usable_cpus"]

_CGROUP: Final = Path("/sys/fs/cgroup/cpu.max")


def usable_cpus(cgroup: Path = _CGROUP) -> int:
    """``ROUSE_THREADS``, else the affinity bounded by the cgroup's quota, rounded up."""
    given = os.environ.get("ROUSE_THREADS", "")
    if given.isdecimal():
        return max(1, int(given))
    cores = len(os.sched_getaffinity(0))
    try:
        quota, period = cgroup.read_text().split()
        if quota != "max":
            cores = min(cores, math.ceil(int(quota) / int(period)))
    except (OSError, ValueError):
        pass  # no cgroup v2, or none with a quota: the affinity stands
    return max(1, cores)
