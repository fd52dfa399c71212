"""How many threads torch computes with; none before a fork.

OpenMP keeps a number of threads for each thread that calls it, and torch copies its own setting
there when a thread first computes. A thread that computed before the setting changed, such as the
main thread of a warm parent, must be told again: hence `use_all` in each thread.
"""

from __future__ import annotations

import threading

import torch

from predictors.tabular.cpus import usable_cpus

__all__ = ["before_fork", "use_all"]

_told = threading.local()


def before_fork() -> None:
    """Compute on the calling thread alone: a pool's threads would not survive a fork."""
    torch.set_num_threads(1)
    _told.count = 1


def use_all(count: int | None = None) -> int:
    """Compute with `count` threads (`usable_cpus` if None) in the calling thread; the count.

    Cheap where it was done before; call it in each thread that computes.
    """
    wanted = count or _usable()
    if getattr(_told, "count", 0) != wanted:
        torch.set_num_threads(wanted)
        _told.count = wanted
    return wanted


def _usable() -> int:
    known: int | None = getattr(_told, "usable", None)
    if known is None:
        known = _told.usable = usable_cpus()
    return known
