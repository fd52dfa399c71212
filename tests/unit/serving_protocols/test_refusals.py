"""Whatever is sent, the answer is a prediction or a 4xx that names what is wrong."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from predictors.serving.contract import check
from predictors.serving.errors import RequestError
from predictors.serving.inference import InferenceResponse
from predictors.serving.model import Model
from predictors.serving.openapi import v1_example, v2_example
from predictors.serving.protocols import v1, v2
from predictors.serving.tensors import TensorSpec

RELAXED = settings(max_examples=300, deadline=None, derandomize=True)


def answer(protocol: Any, model: Model, body: bytes, headers: Mapping[str, str]) -> Any:
    request = protocol.decode(model, body, headers)
    check(model, request)
    response = InferenceResponse(model.predict(request.inputs, request.wanted))
    return protocol.encode(model, request, response)


def body(**changes: Any) -> bytes:
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 4], "data": [1, 2, 3, 4]}
    return orjson.dumps({"inputs": [tensor | changes]})


def binary(shape: Any, size: Any, rest: bytes, datatype: str = "FP32", length: Any = None) -> Any:
    tensor = {"name": "x", "datatype": datatype, "shape": shape}
    head = orjson.dumps({"inputs": [tensor | {"parameters": {"binary_data_size": size}}]})
    told = str(len(head)) if length is None else length
    return head + rest, {"inference-header-content-length": told}


@pytest.mark.parametrize(
    ("sent", "reason"),
    [
        (
            (b"\0\1\2\3", {"content-type": "application/octet-stream"}),
            "The body is application/octet-stream and begins with no JSON object. Send the header "
            "Inference-Header-Content-Length: the number of bytes of JSON before the tensors', 0 "
            "if there is none.",
        ),
        (
            binary([1, 4], None, b"x" * 16),
            "inputs[0] has neither data nor parameters.binary_data_size.",
        ),
        (
            binary([1, 4], 12, b"x" * 12),
            "inputs[0].parameters.binary_data_size is 12, shape [1, 4] of FP32 needs 16.",
        ),
        (
            binary([1, 4], 16, b"x" * 12),
            "inputs[0].parameters.binary_data_size is 16, 12 bytes of the body are left for it.",
        ),
        (
            binary([1, 4], 16, b"x" * 20),
            "The body has 20 bytes behind its JSON; the inputs' binary_data_size add up to 16.",
        ),
        (
            binary([1, 4], -1, b""),
            "inputs[0].parameters.binary_data_size must be a number of bytes.",
        ),
        (
            binary([2], 9, b"\1\0\0\0a9\0\0\0", "BYTES"),
            "inputs[0].parameters.binary_data_size is 9: element 1 of 57 bytes ends beyond it.",
        ),
        (
            binary([1], 6, b"\0\0\0\0\0\0", "BYTES"),
            "inputs[0].parameters.binary_data_size is 6: it ends within the length of an element.",
        ),
        (
            binary([1], 8, b"\0" * 8, "BYTES"),
            "inputs[0].parameters.binary_data_size holds more BYTES elements than the shape's 1.",
        ),
        (
            binary([9], 8, b"\0" * 8, "BYTES"),
            "inputs[0].parameters.binary_data_size is 8, 9 BYTES elements need 36 at least.",
        ),
        (
            binary([1], 1, b"\2", "BOOL"),
            "inputs[0].parameters.binary_data_size: BOOL values must be bytes 0 or 1.",
        ),
        (
            binary([1], 1, b"", length="x"),
            "Inference-Header-Content-Length must be a number of bytes, got 'x'.",
        ),
        (
            binary([1], 1, b"", length="99999"),
            "Inference-Header-Content-Length is 99999, the body has ",
        ),
        (
            (b"x" * 33, {"inference-header-content-length": "0"}),
            "The body has 33 bytes, which do not tell the shape of input, [-1, 4] of FP64; send "
            "JSON with a shape before them.",
        ),
        (
            (body(shape=[10**9, 10**9]), {}),
            "inputs[0].shape [1000000000, 1000000000] asks for more than 268435456 values in one "
            "tensor.",
        ),
        (
            (body(shape=[0, 10**18]), {}),
            "inputs[0].shape [0, 1000000000000000000] asks for more than 268435456 values in one "
            "tensor.",
        ),
        (
            (body(shape=[1] * 33), {}),
            "inputs[0].shape has 33 dimensions; at most 32 are taken.",
        ),
        ((body(shape=[1, 3], data=[1, 2, 3]), {}), "Model flowers expects 4 values per row "),
        ((body(shape=[4]), {}), "Model flowers expects inputs[0] (x) of shape [-1, 4] ("),
        (
            (body(datatype="BYTES", data=list("abcd")), {}),
            "inputs[0] (x): model flowers takes FP64, got BYTES.",
        ),
        ((body(parameters=3), {}), "inputs[0].parameters must be an object."),
        (
            (b'{"inputs": [{}], "outputs": [{"name": "score"}]}', {}),
            "inputs[0].name must be a non-empty string.",
        ),
        (
            (body()[:-1] + b', "outputs": [{"name": "score"}]}', {}),
            "outputs[0].name: model flowers has no output score (did you mean scores?).",
        ),
        (
            (body()[:-1] + b', "outputs": [{"name": "s", "parameters": {"binary_data": 1}}]}', {}),
            "outputs[0].parameters.binary_data must be true or false.",
        ),
        (
            (body()[:-1] + b', "parameters": {"binary_data_output": "yes"}}', {}),
            "parameters.binary_data_output must be true or false.",
        ),
        (
            (body(), {"content-type": "text/plain; charset=utf-8"}),
            "Content-Type text/plain is not read here; send application/json, or ",
        ),
    ],
)
def test_v2(flowers: Model, sent: tuple[bytes, dict[str, str]], reason: str) -> None:
    with pytest.raises(RequestError) as refusal:
        answer(v2, flowers, *sent)
    assert str(refusal.value).startswith(reason)
    assert refusal.value.status == (415 if "Content-Type" in reason else 400)


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (
            [{"colour": "red", "size": 1, "pric": 2}],
            "instances[0].pric: model shirts has no input pric ",
        ),
        ([{"colour": "red", "size": 1}], "instances[0]: model shirts needs price as well; given: "),
        (
            [{"colour": "red", "size": 300, "price": 1}],
            "instances[0].size has INT64 values that INT8, which model shirts takes, cannot hold.",
        ),
        (
            [{"colour": "red", "size": None, "price": 1}],
            "instances[0].size has FP64 values that INT8, which model shirts takes, cannot hold.",
        ),
        (
            [{"colour": {"b64": "?"}, "size": 1, "price": 1}],
            'instances holds a "b64" that is not base64.',
        ),
        (
            [{"colour": {"c": 1}, "size": 1, "price": 1}],
            'instances holds an object among its values; only {"b64": "..."} is read there.',
        ),
    ],
)
def test_v1(shirts: Model, rows: Any, reason: str) -> None:
    with pytest.raises(RequestError) as refusal:
        answer(v1, shirts, orjson.dumps({"instances": rows}), {})
    assert str(refusal.value).startswith(reason)


def test_rows_of_one_name_are_no_matrix(flowers: Model) -> None:
    rows = orjson.dumps({"instances": [{"lenght": 1.5}]})
    with pytest.raises(RequestError, match=r"instances\[0\].lenght: .*did you mean length\?"):
        answer(v1, flowers, rows, {})
    flowers.inputs = (TensorSpec("input", "FP64", (-1, 4)),)
    with pytest.raises(RequestError, match=r"instances\[0\] must be a list of 4 values"):
        answer(v1, flowers, rows, {})


def test_one_long_string_among_numbers_reserves_nothing(flowers: Model) -> None:
    """numpy would make every value as wide as the string: 40 TB here."""
    rows = [["x" * 10_000_000, *range(3)]] + [[1, 2, 3, 4]] * 250_000
    request = v1.decode(flowers, orjson.dumps({"instances": rows}), {})
    assert request.inputs[0].array.dtype == np.dtype(object)
    flat = [value for row in rows for value in row]
    sent = {"name": "x", "datatype": "FP64", "shape": [250_001, 4], "data": flat}
    with pytest.raises(RequestError, match="must hold FP64 values only"):
        v2.decode(flowers, orjson.dumps({"inputs": [sent]}), {})


@RELAXED
@given(data=st.data())
def test_mutated_bodies(flowers: Model, shirts: Model, data: st.DataObject) -> None:
    model = data.draw(st.sampled_from([flowers, shirts]))
    protocol = data.draw(st.sampled_from([v1, v2]))
    example = v1_example(model) if protocol is v1 else v2_example(model)
    sent = bytearray(orjson.dumps(example))
    headers: dict[str, str] = {}
    if protocol is v2 and data.draw(st.booleans()):
        plain, headers = binary([1, 4], 16, b"\0" * 16)
        sent = bytearray(plain)
    for _ in range(data.draw(st.integers(0, 4))):
        at = data.draw(st.integers(0, len(sent) - 1))
        sent[at : at + data.draw(st.integers(0, 3))] = data.draw(
            st.binary(max_size=3)
            | st.sampled_from([b"[", b"9", b"null", b"-", b"{}", b'"', b"1e9"])
        )
    moved = data.draw(st.booleans())
    if headers and moved:
        headers["inference-header-content-length"] = str(data.draw(st.integers(-1, 200)))
    status = 200
    try:
        answer(protocol, model, bytes(sent), headers)
    except RequestError as error:
        status = error.status
    assert 200 <= status < 500
