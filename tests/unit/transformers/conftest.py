"""Predictors that do not exist, and transformers that ask them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import httpx
import orjson
import pytest

from predictors.serving.inference import InferenceRequest
from transformers_pre import Transformer
from transformers_pre.http_predictor import HttpPredictor
from transformers_pre.model import TransformerModel
from transformers_pre.predictor import PredictorProtocol, PredictorSettings

HOST = "iris-predictor.default"
Handler = Callable[[httpx.Request], httpx.Response]


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
