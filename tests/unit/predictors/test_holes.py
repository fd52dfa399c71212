"""Holes of memory are filled before a fork, so that a child writes to few pages that it shared."""

from __future__ import annotations

import subprocess
import sys
from typing import Final

import pytest

_HOLES: Final = 2_000
_EVERY: Final = 50
"""Of so many objects one is freed: each hole is on a page of its own."""
_PAGE: Final = 4_096

_PARENT: Final = f"""
import ctypes, os, sys
from predictors.serving.holes import fill

def private():
    with open("/proc/self/smaps_rollup") as told:
        return next(int(line.split()[1]) << 10 for line in told if line.startswith("Private_Dirty"))

def chunk(size):
    made = malloc(size)
    ctypes.memset(made, 1, size)
    return made

malloc, free = ctypes.CDLL(None).malloc, ctypes.CDLL(None).free
malloc.restype, free.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
if sys.argv[1] == "objects":
    make, drop, size = bytes, lambda _: None, 64
else:
    make, drop, size = chunk, free, 1100
imported = [make(size) for _ in range({_HOLES * _EVERY})]
for number in range(0, len(imported), {_EVERY}):
    drop(imported[number])
    imported[number] = None
if sys.argv[2] == "filled":
    fill()
pid = os.fork()
if pid == 0:
    before = private()
    mine = [make(size) for _ in range({_HOLES})]
    print(private() - before, flush=True)
    os._exit(0)
os.waitpid(pid, 0)
"""


def _written(kind: str, parent: str) -> int:
    """Bytes of pages that a child makes its own by `_HOLES` allocations."""
    argv = [sys.executable, "-c", _PARENT, kind, parent]
    return int(subprocess.run(argv, check=True, capture_output=True, text=True).stdout)


@pytest.mark.parametrize("kind", ["objects", "chunks"])
def test_a_child_writes_to_pages_of_its_own(kind: str) -> None:
    scattered, together = _written(kind, "as it is"), _written(kind, "filled")
    assert scattered > 0.5 * _HOLES * _PAGE
    assert together < scattered / 2


def test_nothing_is_taken_twice() -> None:
    code = (
        "from predictors.serving import holes\n"
        "holes.fill(); kept = len(holes._kept)\n"
        "for _ in range(50): holes.fill()\n"
        "print(len(holes._kept) - kept)"
    )
    taken = subprocess.run(
        [sys.executable, "-c", code], check=True, capture_output=True, text=True
    ).stdout
    assert int(taken) < 1_000
