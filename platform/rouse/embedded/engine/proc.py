"""The engine's processes as /proc shows them: who descends from whom, and their memory."""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass
from pathlib import Path

from rouse.embedded.engine.state import process_start

__all__ = ["Process", "descendants", "inspect"]


@dataclass(frozen=True)
class Process:
    """A process, identified by pid and start time together."""

    pid: int
    parent: int
    start: int
    name: str
    """What the kernel calls it (``comm``): the program, or what the process named itself."""
    command: tuple[str, ...]
    rss_bytes: int
    """Resident set: what `ps` calls RSS; pages shared with other processes count in each."""
    pss_bytes: int
    """Proportional set: shared pages divided among those who share them; sums honestly."""

    def alive(self) -> bool:
        """Whether this very process (not a later one with its pid) still runs."""
        return process_start(self.pid) == self.start


def inspect(pid: int) -> Process | None:
    """One process now; None when it is gone or a zombie."""
    start = process_start(pid)
    if start is None:
        return None
    folder = Path("/proc") / str(pid)
    try:
        command = folder.joinpath("cmdline").read_bytes().rstrip(b"\0").split(b"\0")
        status = folder.joinpath("status").read_text()
    except OSError:
        return None
    fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
    rss = int(fields.get("VmRSS", "0 kB").split()[0]) * 1024
    return Process(
        pid=pid,
        parent=int(fields["PPid"]),
        start=start,
        name=fields["Name"].strip(),
        command=tuple(part.decode(errors="replace") for part in command),
        rss_bytes=rss,
        pss_bytes=_pss(folder, rss),
    )


def descendants(pid: int) -> list[Process]:
    """All processes below `pid`, parents before children."""
    children: dict[int, list[Process]] = defaultdict(list)
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit() and (process := inspect(int(entry.name))) is not None:
            children[process.parent].append(process)
    found: list[Process] = []
    waiting = [pid]
    while waiting:
        for child in sorted(children[waiting.pop(0)], key=lambda process: process.pid):
            found.append(child)
            waiting.append(child.pid)
    return found


def _pss(folder: Path, fallback: int) -> int:
    try:
        for line in folder.joinpath("smaps_rollup").read_text().splitlines():
            if line.startswith("Pss:"):
                return int(line.split()[1]) * 1024
    except OSError:
        pass
    return fallback
