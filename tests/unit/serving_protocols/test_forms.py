"""The forms a request and an answer may have besides plain JSON."""

from __future__ import annotations

from base64 import b64encode
from typing import Any

import numpy as np
import orjson
import pytest

from predictors.serving.contract import check
from predictors.serving.errors import InferenceError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import Model
from predictors.serving.protocols import dumped, v1, v2
from predictors.serving.tensors import Tensor


def infer(model: Model, content: Any, headers: dict[str, str] | None = None) -> Any:
    body = content if isinstance(content, bytes) else orjson.dumps(content)
    request = v2.decode(model, body, headers or {})
    check(model, request)
    response = InferenceResponse(model.predict(request.inputs, request.wanted))
    return v2.encode(model, request, response)


def matrix(**more: Any) -> dict[str, Any]:
    tensor = {"name": "any", "datatype": "INT32", "shape": [1, 4], "data": [1, 2, 3, 4]}
    return {"inputs": [tensor | more.pop("tensor", {})], **more}


def test_an_output_keeps_the_rank_of_its_signature(flowers: Model) -> None:
    [output] = orjson.loads(infer(flowers, matrix(id="7")).body)["outputs"]
    assert (output["shape"], output["data"]) == ([1], [1])


def test_parameters_are_kept_at_every_level(flowers: Model) -> None:
    body = matrix(
        tensor={"parameters": {"content_type": "pd"}},
        parameters={"trace": 1},
        outputs=[{"name": "scores", "parameters": {"content_type": "np"}}],
    )
    request = v2.decode(flowers, orjson.dumps(body), {"x-a": "b"})
    assert request.inputs[0].parameters == {"content_type": "pd"}
    assert request.parameters == {"trace": 1}
    assert request.outputs[0].parameters == {"content_type": "np"}
    assert request.wanted == ["scores"]
    assert request.headers.get("x-a") == "b"


def test_raw_bytes_of_the_only_input(flowers: Model) -> None:
    rows = np.array([[1.0, 2, 3, 4], [0, 0, 0, 0]])
    encoded = infer(flowers, rows.tobytes(), {"inference-header-content-length": "0"})
    assert encoded.content_type == "application/octet-stream"
    size = int(dict(encoded.headers)["inference-header-content-length"])
    assert np.frombuffer(encoded.body[size:], np.int64).tolist() == [1, 0]
    [told] = orjson.loads(encoded.body[:size])["outputs"]
    assert told["parameters"] == {"binary_data_size": 16}


def test_classification(flowers: Model) -> None:
    wanted = [{"name": "scores", "parameters": {"classification": 2}}]
    [output] = orjson.loads(infer(flowers, matrix(outputs=wanted)).body)["outputs"]
    assert output["datatype"] == "BYTES"
    assert output["data"] == ["1.000000:1:iris", "-9.000000:0:rose"]


def test_v1_columns_in_any_order_and_base64(shirts: Model) -> None:
    red = {"b64": b64encode(b"red").decode()}
    body = orjson.dumps({"instances": [{"price": 1.5, "colour": red, "size": 2.0}]})
    request = v1.decode(shirts, body, {})
    check(shirts, request)
    assert [tensor.array.dtype.char for tensor in request.inputs] == ["O", "b", "f"]
    response = InferenceResponse(shirts.predict(request.inputs, []))
    assert orjson.loads(v1.encode(shirts, request, response).body) == {"predictions": ["red 2 1.5"]}


def test_v1_rows_of_base64_are_values(echo: Model) -> None:
    rows = [{"b64": b64encode(value).decode()} for value in (b"\xff\x00", b"text")]
    request = v1.decode(echo, orjson.dumps({"instances": rows}), {})
    assert request.inputs[0].array.tolist() == [b"\xff\x00", "text"]
    response = InferenceResponse(request.inputs)
    assert orjson.loads(v1.encode(echo, request, response).body) == {
        "predictions": [{"b64": "/wA="}, "text"]
    }


def test_v1_rows_by_feature_name(flowers: Model) -> None:
    row = {"weight": 1, "length": 2, "width": 3, "height": 4}
    request = v1.decode(flowers, orjson.dumps({"instances": [row]}), {})
    check(flowers, request)
    assert len(request.inputs) == 4


def test_bytes_that_are_no_text_are_base64_in_json(echo: Model) -> None:
    response = InferenceResponse([Tensor("x", np.array([b"\xff", "a"], dtype=object))])
    [output] = orjson.loads(v2.encode(echo, InferenceRequest(()), response).body)["outputs"]
    assert output["parameters"] == {"content_type": "base64"}
    assert output["data"] == ["/w==", "YQ=="]


def test_payloads_pass_as_they_are(echo: Model) -> None:
    response = InferenceResponse((), payload={"predictions": {"any": 1}})
    for encode in (v1.encode, v1.encode_explanation):
        assert encode(echo, InferenceRequest(()), response).body == b'{"predictions":{"any":1}}'
    explained = InferenceResponse([Tensor("x", np.array([1]))])
    body = v1.encode_explanation(echo, InferenceRequest(()), explained).body
    assert body == b'{"explanations":[1]}'


def test_an_answer_json_cannot_hold_is_the_models_failure() -> None:
    with pytest.raises(InferenceError, match="Model m answered with what JSON cannot hold"):
        dumped({"a": object()}, "m")


@pytest.mark.parametrize(
    "content_type",
    [
        None,
        "application/json",
        "Application/JSON; charset=utf-8",
        "application/octet-stream",
        "application/x-www-form-urlencoded",
        "application/cloudevents+json",
    ],
)
def test_content_types_that_are_read(flowers: Model, content_type: str | None) -> None:
    headers = {"content-type": content_type} if content_type else {}
    assert infer(flowers, matrix(), headers).content_type == "application/json"
