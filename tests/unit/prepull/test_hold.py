"""What keeps an image in use: a program that needs nothing of it."""

from __future__ import annotations

import platform
import stat
import struct
import subprocess
from pathlib import Path

import pytest

from rouse.controllers.prepull.hold import main, program


@pytest.mark.skipif(platform.machine() != "x86_64", reason="the machine's own program is run")
def test_it_runs_without_anything_and_waits(tmp_path: Path) -> None:
    target = tmp_path / "hold"
    for _ in range(2):  # the container that writes it may be restarted
        assert main([str(target)]) == 0
    assert stat.S_IMODE(target.stat().st_mode) == 0o555
    with subprocess.Popen([str(target)], env={}, cwd="/") as running:
        try:
            with pytest.raises(subprocess.TimeoutExpired):
                running.wait(0.2)
        finally:
            running.kill()


@pytest.mark.parametrize(("machine", "number"), [("x86_64", 62), ("aarch64", 183)])
def test_it_is_an_executable_of_the_machine(machine: str, number: int) -> None:
    made = program(machine)
    kind, told, _, entry = struct.unpack_from("<HHIQ", made, 16)
    assert made[:5] == b"\x7fELF\x02"
    assert (kind, told) == (2, number)
    (size,) = struct.unpack_from("<Q", made, 64 + 32)
    assert size == len(made)
    assert entry - 0x400000 < len(made)


def test_another_machine_is_told_what_helps() -> None:
    with pytest.raises(ValueError, match=r"no program for riscv64, only for x86_64, aarch64: use"):
        program("riscv64")
