"""A container's first process ends when it is told to, however early that is."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path

import pytest

UNSHARE = ("unshare", "--user", "--map-root-user", "--pid", "--fork", "--kill-child")
ROOT = Path(__file__).parents[3]


def can_be_first() -> bool:
    try:
        return subprocess.run([*UNSHARE, "true"], capture_output=True, check=False).returncode == 0
    except FileNotFoundError:
        return False


@pytest.mark.skipif(not can_be_first(), reason="nobody may make a PID namespace here")
@pytest.mark.parametrize(("imported", "ends"), [("predictors", True), ("os", False)])
def test_it_ends_before_a_server_handles_signals(imported: str, ends: bool) -> None:
    code = f"import {imported}; print('up', flush=True); import time; time.sleep(30)"
    outer = subprocess.Popen(
        [*UNSHARE, sys.executable, "-c", code], cwd=ROOT, stdout=subprocess.PIPE, text=True
    )
    try:
        assert outer.stdout is not None
        assert outer.stdout.readline() == "up\n"
        children = Path(f"/proc/{outer.pid}/task/{outer.pid}/children").read_text(encoding="ascii")
        subprocess.run(["kill", "-TERM", children.strip()], check=True)
        if ends:
            assert outer.wait(10) == 128 + signal.SIGTERM
        else:
            with pytest.raises(subprocess.TimeoutExpired):
                outer.wait(0.5)
    finally:
        outer.kill()
        outer.communicate()
