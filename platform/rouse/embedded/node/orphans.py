"""Processes an engine left behind: none when the kernel kept its word, but a grandchild that left
its parent's group, or a child caught between fork and exec, would survive a killed engine.

Every container's environment carries a mark with the node's home; a node that starts ends whatever
carries its mark.
"""

from __future__ import annotations

import os
import signal
from pathlib import Path
from typing import Final

__all__ = ["MARK", "end_orphans"]

MARK: Final = "ROUSE_NODE_HOME"


def end_orphans(home: Path) -> int:
    """SIGKILL every process of this user started by a former node of ``home``; returns how many.

    Reads /proc, a few milliseconds. The caller and its ancestors are spared.
    """
    mark = f"{MARK}={home}".encode()
    spared = _ancestors(os.getpid())
    ended = 0
    for entry in Path("/proc").iterdir():
        if not entry.name.isdigit() or int(entry.name) in spared:
            continue
        try:
            if mark in (entry / "environ").read_bytes().split(b"\0"):
                os.kill(int(entry.name), signal.SIGKILL)
                ended += 1
        except OSError:
            continue  # it ended meanwhile, or is another user's
    return ended


def _ancestors(pid: int) -> set[int]:
    found: set[int] = set()
    while pid > 0 and pid not in found:
        found.add(pid)
        try:
            # the command name in parentheses may hold anything, so the fields start after the last
            pid = int(Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[1])
        except (OSError, ValueError, IndexError):
            break
    return found
