"""What is encoded is decoded as it was, for every datatype, in JSON and in bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as npst

from predictors.serving.inference import InferenceRequest, InferenceResponse, RequestedOutput
from predictors.serving.model import Model
from predictors.serving.protocols import v2
from predictors.serving.tensors import DATATYPES, Array, Tensor, declared_datatype, decode, encode
from predictors.serving.tensors.raw import decode_raw, encode_raw

RELAXED = settings(max_examples=40, deadline=None, derandomize=True)
SHAPES = npst.array_shapes(min_dims=2, max_dims=4, min_side=0, max_side=4)
TEXT = st.text(max_size=4)


def arrays(datatype: str, values: st.SearchStrategy[Any] = TEXT) -> st.SearchStrategy[Array]:
    if datatype == "BYTES":
        return npst.arrays(object, SHAPES, elements=values, fill=st.nothing())
    if datatype == "BF16":
        halves = npst.arrays(np.uint16, SHAPES)
        return halves.map(lambda h: (h.astype(np.uint32) << 16).view(np.float32)).filter(
            lambda a: not np.isinf(a).any()
        )
    dtype, elements = DATATYPES[datatype], None
    if dtype.kind == "f":
        width = dtype.itemsize * 8
        elements = st.floats(width=width, allow_infinity=False)  # type: ignore[arg-type]
    return npst.arrays(dtype, SHAPES, elements=elements)


def tensor_of(datatype: str, array: Array) -> Tensor:
    return Tensor("x", array, {"datatype": "BF16"} if datatype == "BF16" else None)


def assert_same(decoded: Array, array: Array) -> None:
    assert decoded.dtype == array.dtype
    assert decoded.shape == array.shape
    assert decoded.tolist() == array.tolist() or np.array_equal(decoded, array, equal_nan=True)


@pytest.mark.parametrize("datatype", DATATYPES)
@RELAXED
@given(data=st.data())
def test_json(datatype: str, data: st.DataObject) -> None:
    array = data.draw(arrays(datatype))
    told = orjson.loads(
        orjson.dumps(encode(tensor_of(datatype, array)), option=orjson.OPT_SERIALIZE_NUMPY)
    )
    decoded = decode(told, 0)
    assert declared_datatype(decoded) == datatype
    assert_same(decoded.array, array)


@pytest.mark.parametrize("datatype", DATATYPES)
@RELAXED
@given(data=st.data())
def test_bytes(datatype: str, data: st.DataObject) -> None:
    elements = TEXT | st.binary(max_size=4).filter(lambda b: not _is_text(b))
    array = data.draw(arrays(datatype, elements))
    raw = bytes(encode_raw(tensor_of(datatype, array)))
    assert_same(decode_raw(datatype, array.shape, raw, "x"), array)


@RELAXED
@given(arrays("FP64"), arrays("BYTES"), arrays("INT32"))
def test_a_whole_answer_read_as_a_request(echo: Model, a: Array, b: Array, c: Array) -> None:
    """Bytes, JSON and bytes in one body."""
    request = InferenceRequest(
        (), [RequestedOutput("b", {"binary_data": False})], parameters={"binary_data_output": True}
    )
    response = InferenceResponse([Tensor("a", a), Tensor("b", b), Tensor("c", c)])
    encoded = v2.encode(echo, request, response)
    length = dict(encoded.headers)["inference-header-content-length"]
    answer = orjson.loads(encoded.body[: int(length)])
    head = orjson.dumps({"inputs": answer["outputs"]})
    body = head + encoded.body[int(length) :]
    decoded = v2.decode(echo, body, {"inference-header-content-length": str(len(head))})
    for tensor, array in zip(decoded.inputs, (a, b, c), strict=True):
        assert_same(tensor.array, array)


def test_bf16_is_rounded_to_the_nearest_even() -> None:
    values = np.array([1.0, 1.00390625, 1.01171875, np.nan, np.inf], dtype=np.float32)
    raw = bytes(encode_raw(Tensor("x", values, {"datatype": "BF16"})))
    decoded = decode_raw("BF16", (5,), raw, "x")
    assert np.array_equal(decoded, [1.0, 1.0, 1.015625, np.nan, np.inf], equal_nan=True)


def test_numbers_of_a_binary_input_are_not_copied(echo: Model) -> None:
    array = np.arange(6.0).reshape(2, 3)
    head = orjson.dumps(
        {
            "inputs": [
                {
                    "name": "x",
                    "shape": [2, 3],
                    "datatype": "FP64",
                    "parameters": {"binary_data_size": 48},
                }
            ]
        }
    )
    body = head + array.tobytes()
    request = v2.decode(echo, body, {"inference-header-content-length": str(len(head))})
    base: Any = request.inputs[0].array
    while isinstance(base, np.ndarray):
        base = base.base
    assert base.obj is body


def _is_text(value: bytes) -> bool:
    try:
        value.decode()
    except UnicodeDecodeError:
        return False
    return True
