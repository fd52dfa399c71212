"""The genuine clients of KServe, MLServer and Triton against our gRPC server.

Each runs in a process of its own, because their protobuf messages exclude each other.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence
from pathlib import Path

import pytest

from predictors.serving.dataplane import DataPlane
from predictors.serving.grpc.server import start_grpc
from predictors.serving.model import Model
from predictors.serving.settings import Limits
from predictors.serving.tensors import Tensor
from tests.compat.environments import python_with, run

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
    await run(python_with(package), str(SCRIPTS / f"{package}_grpc.py"), str(port))
