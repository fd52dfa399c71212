"""What of its memory a container has left: past that the kernel ends all of its processes."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Final

__all__ = ["memory_left", "own_memory"]

_GROUPS: Final = Path("/sys/fs/cgroup")
_V2: Final = ("memory.max", "memory.current", "memory.stat", "")
_V1: Final = (
    "memory/memory.limit_in_bytes",
    "memory/memory.usage_in_bytes",
    "memory/memory.stat",
    "total_",
)


def memory_left(groups: Path = _GROUPS) -> int | None:
    """Bytes that this container may still take; None without a limit, or where none is told.

    The page cache does not count: the kernel takes it back first.
    """
    for limit, used, stat, prefix in (_V2, _V1):
        try:
            bound = (groups / limit).read_text().strip()
            if bound == "max":
                return None
            told = dict(map(str.split, (groups / stat).read_text().splitlines()))
            cached = sum(int(told[f"{prefix}{kind}_file"]) for kind in ("active", "inactive"))
            return int(bound) - int((groups / used).read_text()) + cached
        except (OSError, ValueError, KeyError):
            continue
    return None


def own_memory() -> int:
    """Bytes of memory that this process has."""
    pages = int(Path("/proc/self/statm").read_bytes().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE")
