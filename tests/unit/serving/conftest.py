"""Models made for the tests, and the data plane's parts around them."""

from __future__ import annotations

import socket
import threading
from collections.abc import AsyncIterator, Callable, Sequence

import pytest

from predictors.serving.application import Application
from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import InvalidInputError
from predictors.serving.listener import Listener
from predictors.serving.model import Model
from predictors.serving.router import Router
from predictors.serving.tensors import Tensor, TensorSpec


class Doubling(Model):
    """Answers twice its input; refuses rows that hold 13. `gate` holds each call back."""

    platform = "test"
    batchable = True

    def __init__(self, name: str = "double", version: str = "1") -> None:
        super().__init__(name, version)
        self.inputs = (TensorSpec("x", "FP64", (-1, 2)),)
        self.outputs = (TensorSpec("y", "FP64", (-1, 2)),)
        self.calls: list[int] = []
        self.gate = threading.Event()
        self.gate.set()
        self.entered = threading.Semaphore(0)
        self.unloaded = threading.Event()

    def load(self) -> None:
        """Nothing to load."""

    def unload(self) -> None:
        """Say so."""
        self.unloaded.set()

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Twice the input."""
        array = inputs[0].array
        self.calls.append(len(array))
        self.entered.release()
        assert self.gate.wait(20)
        if (array == 13).any():
            raise InvalidInputError("13 is refused.")
        if (array == 14).any():
            raise ZeroDivisionError("14")
        return [Tensor("y", array * 2)]


@pytest.fixture
def model() -> Doubling:
    return Doubling()


@pytest.fixture
def make() -> type[Doubling]:
    """The model's class."""
    return Doubling


@pytest.fixture
async def serve() -> AsyncIterator[Callable[[DataPlane], str]]:
    """Serve data planes over HTTP in this process; the URL of each."""
    listeners: list[Listener] = []

    def begin(plane: DataPlane) -> str:
        sock = socket.create_server(("127.0.0.1", 0))
        port = sock.getsockname()[1]
        listener = Listener(Application(plane, Router(plane, {"name": "test"})), sock)
        listener.start()
        listeners.append(listener)
        return f"http://127.0.0.1:{port}"

    yield begin
    for listener in listeners:
        await listener.drain(5)
