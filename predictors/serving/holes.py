"""Holes in a process's memory, filled before it forks: what a child allocates then lies together.

Imports leave some thousand free places, one here and one there, and allocators hand those out
first. A child that gets one writes to a page that it shared until then with its parent and with all
other children: 100 bytes cost 4 KiB, and the time of a copy.
"""

from __future__ import annotations

import ctypes
import sys
from collections.abc import Callable
from typing import Any, Final

from predictors.serving.idle import release

__all__ = ["fill"]

_POOL: Final = 16 << 10
"""Bytes that CPython takes objects of one size from; the first of them it keeps for itself."""
_POOL_HEADER: Final = 48
_STEP: Final = 16
_LARGEST: Final = 512
_STRANGERS: Final = 8
"""Objects of others that may be in a pool that counts as empty: there are some while this looks."""
_MOST: Final = 1 << 14
"""Of objects, or of chunks, of one size."""
_CHUNKS: Final = (*(1 << power for power in range(16, 10, -1)), *range(1 << 10, 0, -_STEP))
"""Sizes asked of malloc, the largest first: what is left of a hole fits a smaller one."""

_libc: Final[Any] = ctypes.CDLL(None)
_kept: Final[list[object]] = []


def fill() -> None:
    """Take what is free between other things, for ever, here and in the children to come; 2 ms.

    Nothing grows by it: the pages are there already. Call it on the main thread, when what children
    share is made, and collected. Does nothing with other allocators than CPython's and glibc's.
    """
    for size in range(_STEP, _LARGEST + 1, _STEP):
        _kept.extend(_filling(size))
    release()
    if hasattr(_libc, "malloc_trim"):
        _take_chunks()


def _filling(size: int) -> list[object]:
    """Objects of `size` bytes that fill the pools in use, up to the first that was empty."""
    made: list[object] = []
    empty = (_POOL - _POOL_HEADER) // size - _STRANGERS
    make = _maker(size)
    pool, count = 0, 0
    for number in range(_MOST):
        one = make(number)
        made.append(one)
        here = id(one) // _POOL
        pool, count = here, count + 1 if here == pool else 1
        if count == empty:
            del made[-count:]
            return made
    return []  # another allocator, whose pools are not known


def _maker(size: int) -> Callable[[int], object]:
    if size < sys.getsizeof(_MOST):
        return lambda _: object()
    if size < sys.getsizeof(b"."):
        return lambda number: _MOST + number  # small numbers are made already
    content = size - sys.getsizeof(b"")
    return lambda _: bytes(content)


def _take_chunks() -> None:
    """Take chunks of malloc's heap until it would have to grow."""
    malloc, free, sbrk = _libc.malloc, _libc.free, _libc.sbrk
    malloc.restype = sbrk.restype = ctypes.c_void_p
    malloc.argtypes, free.argtypes = [ctypes.c_size_t], [ctypes.c_void_p]
    sbrk.argtypes = [ctypes.c_ssize_t]
    end = sbrk(0)
    for size in _CHUNKS:
        for _ in range(_MOST):
            chunk = malloc(size)
            if chunk is None or chunk + size > end:
                free(chunk)
                break
