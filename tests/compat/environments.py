"""Where the genuine clients are: ROUSE_CLIENTS, a list of Pythons separated by colons.

The clients exclude each other by their dependencies, so each may have an environment of its own;
`make compat` makes them.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from functools import cache

import pytest

__all__ = ["python_with", "run"]


@cache
def _importing(package: str) -> str | None:
    for python in filter(None, os.environ.get("ROUSE_CLIENTS", "").split(":")):
        if not subprocess.run([python, "-c", f"import {package}"], capture_output=True).returncode:
            return python
    return None


def python_with(package: str) -> str:
    """The first Python that has the package; skips the test where there is none."""
    python = _importing(package)
    if python is None:
        pytest.skip(f"no Python in ROUSE_CLIENTS has {package}; `make compat` makes them")
    return python


async def run(*argv: str, seconds: float = 45) -> str:
    """What a program prints; fails the test where it does not end well."""
    process = await asyncio.create_subprocess_exec(
        *argv, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.STDOUT
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), seconds)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
    return output.decode()
