"""Predictors that do not exist, and transformers that ask them."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncIterator, Callable, Sequence
from contextlib import asynccontextmanager
from typing import Any

import grpc
import httpx
import numpy as np
import orjson
import pytest

from predictors.serving.grpc.messages import ModelInferRequest, ModelInferResponse
from predictors.serving.inference import InferenceRequest
from transformers_pre import Transformer
from transformers_pre.http_predictor import HttpPredictor
from transformers_pre.model import TransformerModel
from transformers_pre.predictor import PredictorProtocol, PredictorSettings

HOST = "iris-predictor.default"
Handler = Callable[[httpx.Request], httpx.Response]
Context = grpc.aio.ServicerContext[bytes, bytes]


class Asked:
    """A predictor that remembers what it was asked, and answers as told."""

    def __init__(self) -> None:
        self.requests: list[httpx.Request] = []
        self.answers: dict[str, Handler] = {}
        self.body: dict[str, Any] = {"predictions": [7]}

    def __call__(self, request: httpx.Request) -> httpx.Response:
        self.requests.append(request)
        handler = self.answers.get(request.url.host)
        return handler(request) if handler else httpx.Response(200, json=self.body)

    @property
    def last(self) -> httpx.Request:
        return self.requests[-1]

    @property
    def sent(self) -> dict[str, Any]:
        sent: dict[str, Any] = orjson.loads(self.last.content)
        return sent


@pytest.fixture
def asked() -> Asked:
    return Asked()


@pytest.fixture
def predictor(asked: Asked) -> Callable[..., HttpPredictor]:
    def make(protocol: PredictorProtocol = "v1", **settings: Any) -> HttpPredictor:
        told = {"host": HOST, "model_name": "iris", "protocol": protocol, **settings}
        forwarded = told.pop("forwarded", ())
        transport = httpx.MockTransport(asked)
        return HttpPredictor(PredictorSettings(**told), forwarded, transport=transport)

    return make


@pytest.fixture
def model(predictor: Callable[..., HttpPredictor]) -> Callable[..., TransformerModel]:
    def make(transformer: Transformer, protocol: PredictorProtocol = "v1") -> TransformerModel:
        made = TransformerModel(transformer, predictor(protocol))
        made.load()
        return made

    return make


def v1(body: dict[str, Any], **headers: str) -> InferenceRequest:
    return InferenceRequest((), payload=body, headers=headers)


class Server:
    """A predictor that remembers what it was asked, and answers as told."""

    def __init__(self) -> None:
        self.port = 0
        self.sent: list[ModelInferRequest] = []
        self.metadata: dict[str, Any] = {}
        self.left_s: float | None = None
        self.answer: Callable[[Context], Any] = lambda _: response(np.array([[7]]))
        self.parts: Sequence[bytes] = ()
        self.dropped = asyncio.Event()

    async def infer(self, data: bytes, context: Context) -> bytes:
        self.note(data, context)
        try:
            made = self.answer(context)
            answer: bytes = await made if asyncio.iscoroutine(made) else made
        except asyncio.CancelledError:
            self.dropped.set()
            raise
        return answer

    async def stream(
        self, requests: AsyncIterator[bytes], context: Context
    ) -> AsyncIterator[bytes]:
        async for data in requests:
            self.note(data, context)
            for part in self.parts:
                yield part
        if not self.parts:
            await context.abort(grpc.StatusCode.NOT_FOUND, "There is no model iris.")

    def note(self, data: bytes, context: Context) -> None:
        self.sent.append(ModelInferRequest.FromString(data))
        self.metadata = dict(context.invocation_metadata() or ())
        self.left_s = context.time_remaining()


def response(array: np.ndarray[Any, Any], *, raw: bool = True, name: str = "predict") -> bytes:
    message = ModelInferResponse(model_name="iris", model_version="1")
    output = message.outputs.add(name=name, datatype="INT64", shape=array.shape)
    if raw:
        message.raw_output_contents.append(array.astype(np.int64).tobytes())
    else:
        output.contents.int64_contents.extend(array.ravel().tolist())
    return message.SerializeToString()


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    async with serving() as asked:
        yield asked


@asynccontextmanager
async def serving(credentials: grpc.ServerCredentials | None = None) -> AsyncIterator[Server]:
    """A server on a free port, with TLS where it has credentials."""
    asked = Server()
    aio = grpc.aio.server()
    handlers: dict[str, grpc.RpcMethodHandler[bytes, bytes]] = {
        "ModelInfer": grpc.unary_unary_rpc_method_handler(asked.infer),
        "ModelStreamInfer": grpc.stream_stream_rpc_method_handler(asked.stream),
    }
    service = grpc.method_handlers_generic_handler("inference.GRPCInferenceService", handlers)
    aio.add_generic_rpc_handlers((service,))
    if credentials is None:
        asked.port = aio.add_insecure_port("127.0.0.1:0")
    else:
        asked.port = aio.add_secure_port("127.0.0.1:0", credentials)
    await aio.start()
    yield asked
    await aio.stop(0)
