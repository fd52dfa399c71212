"""The genuine clients of KServe, MLServer and Triton against our gRPC server.

Each runs in an environment of its own, because their protobuf messages exclude each other:
ROUSE_CLIENTS names a Python that has ``kserve``, ``mlserver`` and ``tritonclient[grpc]``. Without
it, or without one of them, its tests are skipped.
"""

from __future__ import annotations

import asyncio
import os
import subprocess
from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from predictors.serving.dataplane import DataPlane
from predictors.serving.grpc.server import start_grpc
from predictors.serving.model import Model
from predictors.serving.settings import Limits
from predictors.serving.tensors import Tensor

SCRIPTS = Path(__file__).parent / "clients"


class Echo(Model):
    """Answers its inputs."""

    def load(self) -> None:
        """Nothing to load."""

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        return [*inputs]


@pytest.fixture
async def port() -> AsyncIterator[int]:
    plane = DataPlane(["echo"])
    plane.publish(Echo("echo"))
    about = {"name": "rouse", "version": "0", "extensions": []}
    server = await start_grpc(plane, 0, limits=Limits(), server=about, host="127.0.0.1")
    yield server.port
    await server.stop(0)


@pytest.mark.parametrize("package", ["kserve", "mlserver", "tritonclient"])
async def test_a_client_is_served(port: int, package: str) -> None:
    python = os.environ.get("ROUSE_CLIENTS")
    if not python:
        pytest.skip("ROUSE_CLIENTS names no Python with the clients")
    if subprocess.run([python, "-c", f"import {package}"], capture_output=True).returncode:
        pytest.skip(f"{python} has no {package}")
    process = await asyncio.create_subprocess_exec(
        python,
        str(SCRIPTS / f"{package}_grpc.py"),
        str(port),
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.STDOUT,
    )
    try:
        output, _ = await asyncio.wait_for(process.communicate(), 45)
    finally:
        if process.returncode is None:
            process.kill()
            await process.wait()
    assert process.returncode == 0, output.decode()
