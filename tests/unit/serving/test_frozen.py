"""What is imported is out of the collector's sight."""

from __future__ import annotations

import subprocess
import sys

PROGRAM = """
import gc
from predictors.serving.frozen import freeze, uncollected

with uncollected():
    assert not gc.isenabled()
    kept = [[] for _ in range(1000)]
assert gc.isenabled() and gc.get_freeze_count() > 1000
count = gc.get_freeze_count()
with uncollected():  # a second time nothing changes
    assert gc.isenabled()
    more = [[] for _ in range(1000)]
assert gc.get_freeze_count() <= count
freeze()
assert gc.get_freeze_count() > count
"""


def test_imports_are_frozen_once() -> None:
    subprocess.run([sys.executable, "-c", PROGRAM], check=True, timeout=30)
