"""A gRPC server on a free port, with a model that gives back what it was given."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Sequence
from dataclasses import dataclass

import grpc
import numpy as np
import pytest

from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import InvalidInputError
from predictors.serving.grpc.messages import InferTensorContents, ModelInferRequest
from predictors.serving.grpc.server import GrpcServer, start_grpc
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import Model, RequestModel
from predictors.serving.settings import Limits
from predictors.serving.tensors import Tensor, TensorSpec

SERVICE = "/inference.GRPCInferenceService/"
LIMITS = Limits(body_bytes=1 << 20)
SERVER = {"name": "rouse-test", "version": "0", "extensions": ["one"]}


class Echo(Model):
    """Answers its inputs; the names asked for, when there are any."""

    platform = "test"

    def load(self) -> None:
        """Nothing to load, and any input will do."""

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        for name in wanted:
            if name not in [tensor.name for tensor in inputs]:
                raise InvalidInputError(f"There is no output {name}.")
        return [tensor for tensor in inputs if not wanted or tensor.name in wanted]


class Described(Echo):
    """Has a signature."""

    def load(self) -> None:
        self.inputs = (TensorSpec("x", "FP64", (-1, 2), {"description": "two numbers"}),)
        self.outputs = (TensorSpec("x", "FP64", (-1, 2)),)


class Slow(RequestModel):
    """Waits for ever; tells when it was asked and when it was given up."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.asked = asyncio.Event()
        self.dropped = asyncio.Event()
        self.seen: InferenceRequest | None = None

    def load(self) -> None:
        """Nothing to load."""

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        self.seen = request
        self.asked.set()
        try:
            await asyncio.Event().wait()
        finally:
            self.dropped.set()
        raise AssertionError("unreachable")


class Counting(RequestModel):
    """Streams three answers to each request."""

    def load(self) -> None:
        """Nothing to load."""

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        return InferenceResponse([Tensor("n", np.array([[0]]))], parameters={"request": request.id})

    async def stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        for number in range(3):
            yield InferenceResponse([Tensor("n", np.array([[number]]))])


Unary = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
Stream = grpc.aio.StreamStreamMultiCallable[bytes, bytes]


def unary(channel: grpc.aio.Channel, path: str) -> Unary:
    """A method that takes and gives bytes."""
    method: Unary = channel.unary_unary(path)
    return method


@dataclass
class Running:
    """A server, its data plane and a channel to it."""

    plane: DataPlane
    server: GrpcServer
    channel: grpc.aio.Channel
    slow: Slow

    async def call(self, method: str, data: bytes = b"", timeout: float = 10.0) -> bytes:
        path = method if method.startswith("/") else SERVICE + method
        return await unary(self.channel, path)(data, timeout=timeout)

    async def refused(self, method: str, data: bytes = b"") -> tuple[grpc.StatusCode, str]:
        with pytest.raises(grpc.aio.AioRpcError) as caught:
            await self.call(method, data)
        return caught.value.code(), caught.value.details() or ""


@pytest.fixture
async def running() -> AsyncIterator[Running]:
    slow = Slow("slow")
    plane = DataPlane(["echo", "described", "slow", "counting", "loading"])
    for model in (Echo("echo"), Described("described"), slow, Counting("counting")):
        model.load()
        plane.publish(model)
    server = await start_grpc(plane, 0, limits=LIMITS, server=SERVER, host="127.0.0.1")
    async with grpc.aio.insecure_channel(f"127.0.0.1:{server.port}") as channel:
        yield Running(plane, server, channel, slow)
    await server.stop(0)


def request(model: str = "echo", *, raw: bool = False, id_: str = "") -> ModelInferRequest:
    """A request of one row of two numbers."""
    message = ModelInferRequest(model_name=model, id=id_)
    tensor = message.inputs.add(name="x", datatype="FP64", shape=[1, 2])
    values = np.array([1.5, -2.0]).tobytes()
    if raw:
        message.raw_input_contents.append(values)
    else:
        tensor.contents.CopyFrom(InferTensorContents(fp64_contents=[values]))
    return message
