"""Models made to be watched."""

from __future__ import annotations

from collections.abc import AsyncIterator, Sequence

import numpy as np

from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import Model, RequestModel
from predictors.serving.routes import HttpAnswer, HttpRequest, Route
from predictors.serving.tensors import Tensor, TensorSpec
from predictors.serving.tracing import trace_headers


class Doubling(Model):
    """Answers twice its input; refuses rows that hold 13."""

    platform = "test"
    batchable = True
    inputs = (TensorSpec("x", "FP64", (-1, 2)),)
    outputs = (TensorSpec("y", "FP64", (-1, 2)),)

    def load(self) -> None:
        """Nothing to load."""

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        array = inputs[0].array
        if (array == 13).any():
            raise InvalidInputError("13 is refused.")
        if (array == 14).any():
            raise ZeroDivisionError("14")
        return [Tensor("y", array * 2)]


class Talking(RequestModel):
    """Says which headers it would ask others with; streams three numbers; has an endpoint."""

    def load(self) -> None:
        """Nothing to load."""

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        told = trace_headers().get("traceparent", "none")
        return InferenceResponse([Tensor("told", np.array([told], dtype=object))])

    async def stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        for number in range(3):
            yield InferenceResponse([Tensor("n", np.array([number]))])

    def routes(self) -> Sequence[Route]:
        async def shout(request: HttpRequest) -> HttpAnswer:
            return HttpAnswer(200, request.body.upper(), "text/plain")

        return [Route("POST", "/own/shout", shout)]
