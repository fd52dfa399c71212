"""Models with every kind of signature, and a real server of them in this process."""

from __future__ import annotations

import asyncio
import socket
import threading
from collections.abc import Iterator, Sequence

import numpy as np
import pytest

from predictors.serving.application import Application
from predictors.serving.dataplane import DataPlane
from predictors.serving.listener import Listener
from predictors.serving.model import Model
from predictors.serving.router import Router
from predictors.serving.tensors import Array, Tensor, TensorSpec

FEATURES = ["length", "width", "height", "weight"]


class Flowers(Model):
    """A matrix of four features: the nearest of three centres, and the distances to them."""

    platform = "test"

    def __init__(self, name: str = "flowers") -> None:
        super().__init__(name)
        self.inputs = (TensorSpec("input", "FP64", (-1, 4), {"feature_names": FEATURES}),)
        self.outputs = (
            TensorSpec("predict", "INT64", (-1,)),
            TensorSpec("scores", "FP64", (-1, 3), {"categories": ["rose", "iris", "lily"]}),
        )

    def load(self) -> None:
        """Nothing to load."""

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """The output wanted, of a matrix or of one column each."""
        rows = inputs[0].array
        if len(inputs) > 1:
            rows = np.column_stack([tensor.array for tensor in inputs])
        scores = 1 - np.abs(rows.sum(axis=1, keepdims=True) - np.array([0.0, 10.0, 100.0]))
        made = {"predict": scores.argmax(axis=1), "scores": scores}
        return [Tensor(name, made[name]) for name in wanted or ("predict",)]


class Shirts(Model):
    """Columns of three datatypes: a sentence for each row."""

    platform = "test"

    def __init__(self, name: str = "shirts") -> None:
        super().__init__(name)
        self.inputs = (
            TensorSpec("colour", "BYTES", (-1, 1), {"categories": ["red", "blue"]}),
            TensorSpec("size", "INT8", (-1, 1), {"description": "in <b>cm</b>"}),
            TensorSpec("price", "FP32", (-1, 1)),
        )
        self.outputs = (TensorSpec("told", "BYTES", (-1,)),)

    def load(self) -> None:
        """Nothing to load."""

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Colour, size and price in one string."""
        assert [tensor.name for tensor in inputs] == ["colour", "size", "price"]
        columns = [tensor.array[:, 0].tolist() for tensor in inputs]
        told: Array = np.array([f"{c} {s} {p:g}" for c, s, p in zip(*columns, strict=True)])
        return [Tensor("told", told)]


class Echo(Model):
    """No signature: every input comes back under its name."""

    platform = "test"

    def load(self) -> None:
        """Nothing to load."""

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """The inputs."""
        return list(inputs)


@pytest.fixture(scope="session")
def flowers() -> Flowers:
    return Flowers()


@pytest.fixture(scope="session")
def shirts() -> Shirts:
    return Shirts()


@pytest.fixture(scope="session")
def echo() -> Echo:
    return Echo("echo")


@pytest.fixture(scope="session")
def url() -> Iterator[str]:
    """The address of a server of all three models, on a free port."""
    sock = socket.create_server(("127.0.0.1", 0), backlog=256)
    port = sock.getsockname()[1]
    loop = asyncio.new_event_loop()
    stopped = asyncio.Event()
    started = threading.Event()
    models = [Flowers(), Shirts(), Echo("echo")]

    async def serve() -> None:
        plane = DataPlane([model.name for model in models])
        router = Router(plane, {"name": "test", "version": "1", "extensions": []})
        for model in models:
            plane.publish(model)
        listener = Listener(Application(plane, router), sock)
        listener.start()
        started.set()
        await stopped.wait()
        await listener.drain(5)

    thread = threading.Thread(target=loop.run_until_complete, args=(serve(),))
    thread.start()
    try:
        assert started.wait(10)
        yield f"http://127.0.0.1:{port}"
    finally:
        loop.call_soon_threadsafe(stopped.set)
        thread.join(20)
        loop.close()
