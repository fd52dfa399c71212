"""``python -m predictors.twins.background ...``: the command, while nobody else wants the core.

It stands aside before it imports anything: that alone takes a second, in which a server on the
same core would answer late.
"""

from __future__ import annotations

import os
import sys
from contextlib import suppress

__all__ = ["stand_aside"]

_LOWEST = 19


def stand_aside() -> None:
    """Let whoever wakes up have the core at once; where that is not allowed, most of it."""
    os.nice(_LOWEST)
    with suppress(OSError):
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


if __name__ == "__main__":
    stand_aside()
    from predictors.twins.__main__ import main

    sys.exit(main(sys.argv[1:]))
