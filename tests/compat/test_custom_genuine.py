"""The unchanged classes of KServe's and MLServer's users, by the genuine packages.

ROUSE_KSERVE_PYTHON and ROUSE_MLSERVER_PYTHON name Pythons that have ``kserve`` (0.21) or
``mlserver`` (1.7.1), and granian, orjson, uvloop, httpx, pytest and pytest-asyncio. There the very
tests run that elsewhere show the compatibility modules. Without such a Python they are skipped.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
TESTS = ROOT / "tests/unit/custom"
NEEDED = "granian, orjson, uvloop, httpx, pytest, pytest_asyncio"


@pytest.mark.timeout(180)
@pytest.mark.parametrize("package", ["kserve", "mlserver"])
async def test_the_same_files_run_by_the_genuine_package(package: str) -> None:
    variable = f"ROUSE_{package.upper()}_PYTHON"
    python = os.environ.get(variable)
    if not python:
        pytest.skip(f"{variable} names no Python with the genuine {package}")
    # Nothing installs the compatibility modules there: what is imported is genuine.
    probe = await _run(python, "-c", f"import {package}, {NEEDED}")
    if probe[0]:
        pytest.skip(f"{python} has not all of {package}, {NEEDED}: {probe[1][-200:]}")
    code, output = await _run(
        python,
        *("-m", "pytest", "-q", "-c", os.devnull, f"--rootdir={ROOT}", "-p", "no:cacheprovider"),
        *("-o", "asyncio_mode=auto", "-o", "asyncio_default_fixture_loop_scope=function"),
        *("--import-mode=importlib", str(TESTS / f"test_{package}.py")),
    )
    assert code == 0, output
    assert " passed" in output


async def _run(python: str, *arguments: str) -> tuple[int, str]:
    process = await asyncio.create_subprocess_exec(
        python,
        *arguments,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 170)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    return process.returncode or 0, output.decode(errors="replace")
