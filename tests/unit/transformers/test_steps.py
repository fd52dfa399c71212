"""The steps of a transformer: sync and async, over every pair of protocols."""

from __future__ import annotations

import threading
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import pytest

from predictors.serving.errors import InferenceError, InvalidInputError
from predictors.serving.inference import InferenceRequest, InferenceResponse, RequestedOutput
from predictors.serving.tensors import Tensor
from tests.unit.transformers.conftest import Asked, v1
from transformers_pre import Transformer
from transformers_pre.model import TransformerModel

Make = Callable[..., TransformerModel]
ROW = [5.1, 3.5]


class Doubled(Transformer):
    """Plain methods: they run beside the event loop."""

    thread = 0

    def preprocess(self, payload: Any, headers: Mapping[str, str]) -> Any:
        self.thread = threading.get_ident()
        return {"instances": [[2 * x for x in row] for row in payload["instances"]]}

    def postprocess(self, response: Any, headers: Mapping[str, str]) -> Any:
        return {**response, "by": headers["x-me"]}


class Asynchronous(Transformer):
    async def preprocess(self, payload: Any, headers: Mapping[str, str]) -> Any:
        return {**payload, "before": True}

    async def postprocess(self, response: Any, headers: Mapping[str, str]) -> Any:
        return {**response, "after": True}


async def test_plain_steps_run_in_a_thread(model: Make, asked: Asked) -> None:
    doubled = Doubled("iris")
    answer = await model(doubled).infer(v1({"instances": [ROW]}, **{"x-me": "you"}))
    assert asked.sent == {"instances": [[10.2, 7.0]]}
    assert answer.payload == {"predictions": [7], "by": "you"}
    assert doubled.thread != threading.get_ident()
    assert answer.preprocess > 0
    assert answer.predict > 0


async def test_async_steps_are_awaited(model: Make, asked: Asked) -> None:
    answer = await model(Asynchronous("iris")).infer(v1({"instances": [ROW]}))
    assert asked.sent == {"instances": [ROW], "before": True}
    assert answer.payload == {"predictions": [7], "after": True}


async def test_explanations_go_through_the_steps_too(model: Make, asked: Asked) -> None:
    asked.body = {"explanations": [1]}
    answer = await model(Asynchronous("iris")).explain(v1({"instances": [ROW]}))
    assert asked.last.url.path == "/v1/models/iris:explain"
    assert answer.payload == {"explanations": [1], "after": True}


async def test_v2_through_v2_keeps_names_types_and_shapes(model: Make, asked: Asked) -> None:
    output = {"name": "p", "datatype": "INT64", "shape": [2], "data": [1, 2]}
    asked.body = {"model_name": "iris", "outputs": [output], "parameters": {"k": 1}}
    rows = Tensor("x", np.array([1.5, 2.5], dtype=np.float32))
    request = InferenceRequest([rows], id="7", outputs=[RequestedOutput("p")])
    answer = await model(Transformer("iris"), "v2").infer(request)
    (sent,) = asked.sent["inputs"]
    assert (sent["name"], sent["datatype"], sent["shape"]) == ("x", "FP32", [2])
    assert sent["data"] == [1.5, 2.5]
    assert asked.sent["id"] == "7"
    assert asked.sent["outputs"] == [{"name": "p"}]
    assert answer.outputs[0].array.tolist() == [1, 2]
    assert answer.parameters == {"k": 1}


async def test_v2_clients_of_a_v1_predictor(model: Make, asked: Asked) -> None:
    request = InferenceRequest([Tensor("x", np.array([[1.0, 2.0]]))])
    answer = await model(Transformer("iris")).infer(request)
    assert asked.sent == {"instances": [[1.0, 2.0]]}
    assert answer.outputs[0].name == "predictions"
    assert answer.outputs[0].array.tolist() == [7]


async def test_several_inputs_are_rows_of_objects_over_v1(model: Make, asked: Asked) -> None:
    columns = [Tensor("a", np.array([1, 2])), Tensor("b", np.array(["x", "y"], dtype=object))]
    await model(Transformer("iris")).infer(InferenceRequest(columns))
    assert asked.sent == {"instances": [{"a": 1, "b": "x"}, {"a": 2, "b": "y"}]}


async def test_v1_clients_of_a_v2_predictor(model: Make, asked: Asked) -> None:
    output = {"name": "p", "datatype": "INT64", "shape": [1], "data": [3]}
    asked.body = {"outputs": [output]}
    answer = await model(Transformer("iris"), "v2").infer(v1({"instances": [ROW]}))
    (sent,) = asked.sent["inputs"]
    assert (sent["shape"], sent["data"]) == ([1, 2], ROW)
    assert answer.payload is None
    assert answer.outputs[0].array.tolist() == [3]


class Broken(Transformer):
    def preprocess(self, payload: Any, headers: Mapping[str, str]) -> Any:
        if payload["instances"] == "refuse":
            raise InvalidInputError("instances must be rows.")
        return payload["no such key"]


async def test_a_refusal_of_user_code_reaches_the_client(model: Make) -> None:
    with pytest.raises(InvalidInputError, match="must be rows"):
        await model(Broken("iris")).infer(v1({"instances": "refuse"}))


async def test_a_bug_of_user_code_names_the_step_and_no_code(model: Make) -> None:
    with pytest.raises(InferenceError, match=r"iris failed in preprocess with KeyError; see its"):
        await model(Broken("iris")).infer(v1({"instances": []}))


class Wrong(Transformer):
    def postprocess(self, response: Any, headers: Mapping[str, str]) -> Any:
        return [1, 2]


async def test_a_result_of_the_wrong_kind_is_a_bug_too(model: Make) -> None:
    with pytest.raises(InferenceError, match="postprocess with TypeError"):
        await model(Wrong("iris")).infer(v1({"instances": [ROW]}))


async def test_a_v2_client_cannot_be_answered_with_any_object(model: Make, asked: Asked) -> None:
    asked.body = {"something": 1}
    request = InferenceRequest([Tensor("x", np.array([[1.0]]))])
    with pytest.raises(InferenceError, match="neither outputs nor predictions"):
        await model(Transformer("iris")).infer(request)


async def test_a_response_is_answered_as_it_is(model: Make) -> None:
    class Ready(Transformer):
        def postprocess(self, response: Any, headers: Mapping[str, str]) -> Any:
            return InferenceResponse([Tensor("p", np.array([1]))])

    answer = await model(Ready("iris")).infer(v1({"instances": [ROW]}))
    assert answer.outputs[0].name == "p"
