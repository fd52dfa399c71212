"""ModelInfer: typed and raw contents, parameters, and each kind of wrong request."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import grpc
import numpy as np
import pytest

from predictors.serving.grpc.messages import (
    InferTensorContents,
    ModelInferRequest,
    ModelInferResponse,
)
from tests.unit.serving_grpc.conftest import Running, request

Code = grpc.StatusCode


async def infer(running: Running, message: ModelInferRequest) -> ModelInferResponse:
    answer = await running.call("ModelInfer", message.SerializeToString())
    return ModelInferResponse.FromString(answer)


@pytest.mark.parametrize(
    ("datatype", "field", "values"),
    [
        ("BOOL", "bool_contents", [True, False]),
        ("INT8", "int_contents", [-128, 127]),
        ("INT16", "int_contents", [-5, 5]),
        ("INT32", "int_contents", [-(1 << 31), 1]),
        ("INT64", "int64_contents", [-(1 << 63), (1 << 63) - 1]),
        ("UINT8", "uint_contents", [0, 255]),
        ("UINT16", "uint_contents", [0, 65535]),
        ("UINT32", "uint_contents", [0, (1 << 32) - 1]),
        ("UINT64", "uint64_contents", [0, (1 << 64) - 1]),
        ("FP32", "fp32_contents", [np.array([1.5, np.nan], np.float32).tobytes()]),
        ("FP64", "fp64_contents", [np.array([1.5, -np.inf]).tobytes()]),
        ("BYTES", "bytes_contents", ["ö".encode(), b"\xff"]),
    ],
)
async def test_typed_contents_come_back_as_they_went(
    running: Running, datatype: str, field: str, values: list[Any]
) -> None:
    message = ModelInferRequest(model_name="echo")
    contents = InferTensorContents(**{field: values})
    message.inputs.add(name="x", datatype=datatype, shape=[2, 1], contents=contents)
    answer = await infer(running, message)
    (output,) = answer.outputs
    assert (output.name, output.datatype, [*output.shape]) == ("x", datatype, [2, 1])
    assert output.contents == contents
    assert not answer.raw_output_contents


@pytest.mark.parametrize(
    ("datatype", "data"),
    [
        ("FP16", np.array([1.5, -2], np.float16).tobytes()),
        ("BF16", b"\x80\x3f\x00\xc0"),
        ("FP32", np.array([1.5, -2], np.float32).tobytes()),
        ("UINT8", b"\x01\xff"),
        ("BOOL", b"\x00\x01"),
        ("BYTES", b"\x02\0\0\0ab\0\0\0\0"),
    ],
)
async def test_raw_contents_are_answered_raw(running: Running, datatype: str, data: bytes) -> None:
    message = ModelInferRequest(model_name="echo", raw_input_contents=[data])
    message.inputs.add(name="x", datatype=datatype, shape=[2])
    answer = await infer(running, message)
    assert [*answer.raw_output_contents] == [data]
    assert answer.outputs[0].datatype == datatype
    assert [*answer.outputs[0].shape] == [2, 1]
    assert not answer.outputs[0].HasField("contents")


async def test_numbers_in_several_chunks_are_one_tensor(running: Running) -> None:
    message = request()
    del message.inputs[0].contents.fp64_contents[:]
    message.inputs[0].contents.fp64_contents.extend([np.array(1.0).tobytes()] * 2)
    (output,) = (await infer(running, message)).outputs
    assert output.contents.fp64_contents[0] == np.array([1.0, 1.0]).tobytes()


async def test_the_answer_says_whose_it_is(running: Running) -> None:
    answer = await infer(running, request(id_="7"))
    assert (answer.id, answer.model_name, answer.model_version) == ("7", "echo", "1")
    answer = await infer(running, request("counting", id_="8"))
    assert answer.parameters["request"].string_param == "8"


def shaped(*shape: int) -> ModelInferRequest:
    message = request()
    message.inputs[0].shape[:] = shape
    return message


def changed(change: Callable[[ModelInferRequest], object], *, raw: bool = False) -> bytes:
    message = request(raw=raw)
    change(message)
    return message.SerializeToString()


WRONG: dict[str, tuple[bytes, grpc.StatusCode, str]] = {
    "no message": (b"\xff\xff", Code.INVALID_ARGUMENT, "no ModelInferRequest"),
    "cut off": (request().SerializeToString()[:-3], Code.INVALID_ARGUMENT, "cut off"),
    "no model": (request("nope").SerializeToString(), Code.NOT_FOUND, "name nope does not"),
    "loading": (request("loading").SerializeToString(), Code.UNAVAILABLE, "is not ready"),
    "version": (
        changed(lambda m: setattr(m, "model_version", "9")),
        Code.NOT_FOUND,
        "no version 9",
    ),
    "no inputs": (b"\n\x04echo", Code.INVALID_ARGUMENT, "inputs must have"),
    "no name": (
        changed(lambda m: m.inputs[0].ClearField("name")),
        Code.INVALID_ARGUMENT,
        "inputs[0].name",
    ),
    "datatype": (
        changed(lambda m: setattr(m.inputs[0], "datatype", "FP128")),
        Code.INVALID_ARGUMENT,
        "inputs[0].datatype",
    ),
    "negative": (shaped(-1, 2).SerializeToString(), Code.INVALID_ARGUMENT, "inputs[0].shape"),
    "huge": (shaped(1 << 40, 1 << 40).SerializeToString(), Code.INVALID_ARGUMENT, "inputs[0].sh"),
    "count": (shaped(3, 2).SerializeToString(), Code.INVALID_ARGUMENT, "fp64_contents has 2"),
    "half a value": (
        changed(lambda m: m.inputs[0].contents.fp64_contents.append(b"\1")),
        Code.INVALID_ARGUMENT,
        "inputs[0].contents.fp64_contents is cut off",
    ),
    "another field": (
        changed(lambda m: setattr(m.inputs[0], "datatype", "INT64")),
        Code.INVALID_ARGUMENT,
        "int64_contents has 0 values, shape [1, 2] asks for 2; INT64 does not belong in fp64_c",
    ),
    "FP16": (
        changed(lambda m: setattr(m.inputs[0], "datatype", "FP16")),
        Code.INVALID_ARGUMENT,
        "raw_input_contents",
    ),
    "both": (
        changed(lambda m: m.raw_input_contents.append(bytes(16))),
        Code.INVALID_ARGUMENT,
        "inputs[0].contents must not",
    ),
    "raw count": (
        changed(lambda m: m.raw_input_contents.append(b""), raw=True),
        Code.INVALID_ARGUMENT,
        "raw_input_contents has 2",
    ),
    "raw size": (
        changed(lambda m: m.raw_input_contents.__setitem__(0, b"abc"), raw=True),
        Code.INVALID_ARGUMENT,
        "raw_input_contents[0]",
    ),
    "output": (
        changed(lambda m: m.outputs.add(name="y")),
        Code.INVALID_ARGUMENT,
        "no output y",
    ),
    "unnamed output": (
        changed(lambda m: m.outputs.add()),
        Code.INVALID_ARGUMENT,
        "outputs[0].name",
    ),
    "shared memory": (
        changed(
            lambda m: setattr(m.inputs[0].parameters["shared_memory_region"], "string_param", "r")
        ),
        Code.UNIMPLEMENTED,
        "inputs[0] is in shared memory",
    ),
}


@pytest.mark.parametrize(("data", "code", "text"), WRONG.values(), ids=WRONG.keys())
async def test_a_wrong_request_names_what_is_wrong(
    running: Running, data: bytes, code: grpc.StatusCode, text: str
) -> None:
    found, message = await running.refused("ModelInfer", data)
    assert found == code
    assert text in message


async def test_an_integer_beyond_its_datatype_is_refused(running: Running) -> None:
    message = ModelInferRequest(model_name="echo")
    contents = InferTensorContents(int_contents=[128])
    message.inputs.add(name="x", datatype="INT8", shape=[1], contents=contents)
    code, text = await running.refused("ModelInfer", message.SerializeToString())
    assert code == Code.INVALID_ARGUMENT
    assert "inputs[0].contents.int_contents has values that INT8 cannot hold" in text
