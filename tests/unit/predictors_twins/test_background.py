"""Translating while nobody else wants the core."""

from __future__ import annotations

import os
import subprocess
import sys

_CODE = """
import os, sys
from predictors.twins.background import stand_aside
assert "numpy" not in sys.modules
stand_aside()
print(os.nice(0), os.sched_getscheduler(0))
"""


def test_the_core_is_left_before_anything_is_imported() -> None:
    done = subprocess.run(
        [sys.executable, "-c", _CODE], capture_output=True, text=True, check=True, timeout=50
    )
    nice, scheduler = done.stdout.split()
    assert (int(nice), int(scheduler)) == (19, os.SCHED_IDLE)


def test_the_command_is_the_same() -> None:
    done = subprocess.run(
        [sys.executable, "-m", "predictors.twins.background", "translate", "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=50,
    )
    assert "--with-parent" in done.stdout
