"""The end of a process, whatever its threads do."""

from __future__ import annotations

import atexit
import contextlib
import os
import sys
from typing import NoReturn

__all__ = ["leave"]


def leave(code: int) -> NoReturn:
    """Exit now, after what was registered with `atexit`.

    The interpreter's own end waits for threads, so that a model that hangs in one would keep the
    process until it is killed; and it takes 0.2 s of processor time to tear down a framework, more
    than a second on a busy machine, for memory that the kernel takes back anyway.
    """
    with contextlib.suppress(Exception):
        atexit._run_exitfuncs()
    for stream in (sys.stdout, sys.stderr):
        with contextlib.suppress(Exception):
            stream.flush()
    os._exit(code)
