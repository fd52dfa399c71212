from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import DATATYPES, Tensor, datatype_of, decode, encode


def nested(value: Any, depth: int) -> Any:
    for _ in range(depth):
        value = [value]
    return value


def tensor(**changes: Any) -> dict[str, Any]:
    return {"name": "x", "datatype": "FP64", "shape": [1, 2], "data": [1.5, 2.5]} | changes


@pytest.mark.parametrize("datatype", [name for name in DATATYPES if name not in ("BYTES", "BOOL")])
def test_numbers_come_back_as_they_went(datatype: str) -> None:
    decoded = decode(tensor(datatype=datatype, data=[1, 2]), 0)
    assert decoded.array.dtype == DATATYPES[datatype]
    assert decoded.array.tolist() == [[1, 2]]
    assert encode(decoded)["datatype"] == datatype
    assert list(encode(decoded)["data"]) == [1, 2]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (tensor(data=[[1, 2]]), [[1.0, 2.0]]),
        (tensor(shape=[2], data=[1, 2.5]), [1.0, 2.5]),
        (tensor(datatype="BOOL", data=[True, False]), [[True, False]]),
        (tensor(datatype="BOOL", data=[1, 0]), [[True, False]]),
        (tensor(datatype="BYTES", data=["a", "b"]), [["a", "b"]]),
        (tensor(shape=[0, 2], data=[]), []),
        (tensor(datatype="UINT64", data=[2**64 - 1, 0]), [[2**64 - 1, 0]]),
    ],
)
def test_accepted(given: dict[str, Any], expected: list[Any]) -> None:
    assert decode(given, 0).array.tolist() == expected


@pytest.mark.parametrize(
    ("given", "reason"),
    [
        (3, "inputs[2] must be an object, got a number."),
        (tensor(name=""), "inputs[2].name must be a non-empty string."),
        (tensor(datatype="FP8"), "inputs[2].datatype must be one of BOOL, "),
        (tensor(datatype=["FP32"]), "inputs[2].datatype must be one of BOOL, "),
        (tensor(shape=[-1, 2]), "inputs[2].shape must be a list of sizes"),
        (tensor(shape=[1.0, 2]), "inputs[2].shape must be a list of sizes"),
        (tensor(shape=[True, 2]), "inputs[2].shape must be a list of sizes"),
        (tensor(shape="2"), "inputs[2].shape must be a list of sizes"),
        (tensor(shape=[3, 2]), "inputs[2].shape [3, 2] asks for 6 values, data has 2."),
        (tensor(shape=[2, 1], data=[[1, 2]]), "inputs[2].data is nested as [1, 2], its shape says"),
        (tensor(data=None), "inputs[2].data must be a list, got null."),
        (tensor(data={}), "inputs[2].data must be a list, got an object."),
        (tensor(data=["1", "2"]), "inputs[2].data must hold FP64 values only."),
        (tensor(data=[1, "2"]), "inputs[2].data must hold FP64 values only."),
        (
            tensor(datatype="INT8", data=[1, None]),
            "inputs[2].data must hold INT8 values only.",
        ),
        (tensor(data=[True, False]), "inputs[2].data must hold FP64 values only."),
        (tensor(datatype="BYTES", data=nested("a", 40)), "inputs[2].data is nested deeper than"),
        (tensor(data=[[1], [1, 2]]), "inputs[2].data is ragged: its rows differ in length."),
        (tensor(datatype="INT8", data=[1, 300]), "inputs[2].data has values that INT8 cannot hold"),
        (tensor(datatype="UINT8", data=[1, -1]), "inputs[2].data has values that UINT8 cannot"),
        (tensor(datatype="INT32", data=[1, 2.5]), "inputs[2].data has values that INT32 cannot"),
        (tensor(datatype="INT64", data=[1, 2**70]), "inputs[2].data has values that INT64"),
        (tensor(datatype="INT64", data=[-1, 2**63]), "inputs[2].data has values that INT64"),
        (tensor(datatype="FP32", data=[1, 1e300]), "inputs[2].data has values that FP32 cannot"),
        (
            tensor(datatype="BYTES", data=["a", 1]),
            "inputs[2].data must hold strings (BYTES)",
        ),
        (tensor(datatype="BOOL", data=[1, 2]), "inputs[2].data has values that BOOL cannot hold."),
    ],
)
def test_refused_with_the_field_and_the_reason(given: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        decode(given, 2)
    assert str(refusal.value).startswith(reason)


def test_a_vector_is_told_as_a_column() -> None:
    assert encode(Tensor("predict", np.array([3, 4]))) == {
        "name": "predict",
        "shape": [2, 1],
        "datatype": "INT64",
        "parameters": {"content_type": "np"},
        "data": [3, 4],
    }


@pytest.mark.parametrize("array", [np.array(["a", "b"]), np.array(["a", b"b"], dtype=object)])
def test_strings_are_bytes(array: np.ndarray[Any, Any]) -> None:
    told = encode(Tensor("predict", array))
    assert (told["datatype"], told["data"]) == ("BYTES", ["a", "b"])
    assert told["parameters"] == {"content_type": "str"}


def test_types_the_protocol_lacks_have_a_place() -> None:
    assert datatype_of(np.dtype("U5")) == "BYTES"
    assert datatype_of(np.dtype("S5")) == "BYTES"
