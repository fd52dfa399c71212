"""How many bytes a cache may hold, kept by all processes that write to it.

Whoever downloads claims the room first, in ``partial/<digest>/reserved``, under one lock: what is
published, what is claimed, and what killed downloads have left never add up to more than the limit.
"""

from __future__ import annotations

import os
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Final

import orjson

from predictors.storage.entries import DIGESTS, FILES
from predictors.storage.errors import BudgetError
from predictors.storage.locks import held

__all__ = ["BUDGET", "RESERVED", "Budget", "disk_bytes", "published_bytes"]

BUDGET: Final = "ROUSE_MODEL_CACHE_BYTES"
"""The variable that names the most bytes the node's cache may hold; unset: what the disk has."""
RESERVED: Final = "reserved"
_STEP: Final = 64 * 1024 * 1024
_LOCK_SECONDS: Final = 30.0


class Budget:
    """The room of one download in the cache at ``root``; ``limit`` is the whole cache's, in bytes.

    Not to be used by several threads at once, but for `grow`.
    """

    def __init__(self, root: Path, digest: str, limit: int) -> None:
        self._root = root
        self._digest = digest
        self._limit = limit
        self._claimed = 0

    def claim(self, total: int) -> None:
        """Make the claim ``total`` bytes; raises `BudgetError` above what the limit leaves."""
        with self._locked():
            free = self._free()
            if total > free:
                raise BudgetError(total, free, self._limit)
            self._write(total)

    def grow(self, total: int) -> None:
        """Claim at least ``total`` bytes, in steps: for a file whose size nobody knows before."""
        if total <= self._claimed:
            return
        with self._locked():
            free = self._free()
            if total > free:
                raise BudgetError(total, free, self._limit)
            self._write(min(free, total + _STEP))

    def claim_most(self, more: int) -> int:
        """Claim up to ``more`` bytes on top of what is claimed; how many these are.

        For archives, which tell their size when they are unpacked. Raises `BudgetError` when there
        is no room at all.
        """
        with self._locked():
            free = self._free()
            if free <= self._claimed:
                raise BudgetError(self._claimed + 1, free, self._limit)
            more = min(more, free - self._claimed)
            self._write(self._claimed + more)
            return more

    def lacks(self, more: int) -> BudgetError:
        """The error that ``more`` bytes on top of the claim are needed."""
        return BudgetError(self._claimed + more, self._claimed, self._limit)

    def _free(self) -> int:
        """What the limit leaves to this download, with what it has brought and claimed already."""
        return max(0, self._limit - published_bytes(self._root) - self._others())

    def _others(self) -> int:
        total = 0
        partial = self._root / "partial"
        for folder in partial.iterdir() if partial.is_dir() else ():
            if folder.name != self._digest:
                total += max(_reserved(folder), disk_bytes(folder))
        return total

    def _write(self, total: int) -> None:
        path = self._root / "partial" / self._digest / RESERVED
        made = path.with_name(f"{RESERVED}.new")
        made.write_text(str(total))
        made.replace(path)
        self._claimed = total

    def _locked(self) -> AbstractContextManager[None]:
        locks = self._root / "locks"
        locks.mkdir(parents=True, exist_ok=True)
        return held(locks / "budget", _LOCK_SECONDS)


def published_bytes(root: Path) -> int:
    """Bytes of all entries, also of damaged ones; what several have in common counts once."""
    models = root / "models"
    seen: set[tuple[int, int]] = set()
    total = 0
    for folder in models.iterdir() if models.is_dir() else ():
        shared = (folder / DIGESTS).exists()
        total += _once(folder, seen) if shared else _entry_bytes(folder)
    return total


def disk_bytes(folder: Path) -> int:
    """Bytes that a folder takes on its disk: no holes of sparse files, no second names."""
    total = 0
    seen = set()
    for inner, _, names in os.walk(folder):
        for name in names:
            try:
                known = os.lstat(os.path.join(inner, name))
            except FileNotFoundError:
                continue
            if (known.st_dev, known.st_ino) not in seen:
                seen.add((known.st_dev, known.st_ino))
                total += known.st_blocks * 512
    return total


def _once(folder: Path, seen: set[tuple[int, int]]) -> int:
    """Bytes of a sealed entry's files, without those ``seen``, to which they are added."""
    try:
        files = orjson.loads((folder / "manifest.json").read_bytes())["files"]
        found = [os.stat(folder / FILES / name) for name in files]
    except (OSError, ValueError, KeyError, TypeError):
        return _entry_bytes(folder)
    own = {(each.st_dev, each.st_ino): each.st_size for each in found}
    total = sum(size for inode, size in own.items() if inode not in seen)
    seen.update(own)
    return total


def _entry_bytes(folder: Path) -> int:
    if folder.is_symlink():
        return 0
    try:
        return int(orjson.loads((folder / "manifest.json").read_bytes())["bytes"])
    except (OSError, ValueError, KeyError, TypeError):
        return disk_bytes(folder)


def _reserved(folder: Path) -> int:
    try:
        return int((folder / RESERVED).read_text())
    except (OSError, ValueError):
        return 0
