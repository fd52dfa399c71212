"""Which parts of a download are on the disk: a file beside them, one line each.

A killed process leaves what the kernel was given, so a line written after its part is true. A
machine that went down may have kept the line and lost the part: a journal of another boot counts
for nothing.
"""

from __future__ import annotations

import os
from pathlib import Path
from types import TracebackType
from typing import Self

from predictors.storage.plan import Plan

__all__ = ["Journal", "boot_id"]

_BOOT = Path("/proc/sys/kernel/random/boot_id")


class Journal:
    """The journal of one plan; a journal of another plan is thrown away."""

    def __init__(self, path: Path, plan: Plan) -> None:
        head = f"{plan.fingerprint} {boot_id()}\n"
        lines = path.read_text().splitlines(keepends=True) if path.exists() else []
        self.resumed = bool(lines) and lines[0] == head
        """Whether files of an earlier process may be continued."""
        self.done: set[tuple[int, int]] = set()
        """Parts that need no download: number of the file, number of the part."""
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC
        self._fd = os.open(path, flags | (0 if self.resumed else os.O_TRUNC), 0o600)
        if not self.resumed:
            os.write(self._fd, head.encode())
            return
        # The last line may be torn; only a complete one ends so.
        for line in lines[1:]:
            numbers = line.split()
            if line.endswith("\n") and len(numbers) == 2 and all(n.isdigit() for n in numbers):
                self.done.add((int(numbers[0]), int(numbers[1])))
        if not lines[-1].endswith("\n"):
            os.ftruncate(self._fd, sum(len(line) for line in lines[:-1]))

    def write(self, file: int, part: int) -> None:
        """Note a part; callable from any thread."""
        os.write(self._fd, f"{file} {part}\n".encode())

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        os.close(self._fd)


def boot_id() -> str:
    """A name of the time since this machine was started."""
    try:
        return _BOOT.read_text().strip()
    except OSError:
        return "unknown"
