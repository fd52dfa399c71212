"""Whatever is sent as a request gets an answer or a reason: never UNKNOWN, INTERNAL or a hang."""

from __future__ import annotations

import asyncio
from typing import Any, cast

import grpc
import numpy as np
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from predictors.serving.dataplane import DataPlane
from predictors.serving.grpc.messages import InferTensorContents, ModelInferRequest
from predictors.serving.grpc.service import Context, Service
from predictors.serving.grpc.stream import Streams
from tests.unit.serving_grpc.conftest import Echo, Running, request

ALLOWED = {
    grpc.StatusCode.OK,
    grpc.StatusCode.INVALID_ARGUMENT,
    grpc.StatusCode.NOT_FOUND,
    grpc.StatusCode.UNIMPLEMENTED,
}


class RefusedError(Exception):
    """What `Bare` ends a call with."""


class Bare:
    """A call without a channel: hundreds of them take a second."""

    code = grpc.StatusCode.OK

    async def abort(self, code: grpc.StatusCode, details: str, trailers: object) -> None:
        assert details
        self.code = code
        raise RefusedError

    def invocation_metadata(self) -> None:
        return None

    def time_remaining(self) -> None:
        return None


async def once(data: bytes) -> Any:
    yield data


async def code_of(data: bytes, *, stream: bool) -> grpc.StatusCode:
    plane = DataPlane(["echo"])
    plane.publish(Echo("echo"))
    context = Bare()
    call = cast(Context, context)
    try:
        async with asyncio.timeout(5):
            if stream:
                async for _ in Streams(plane).model_stream_infer(once(data), call):
                    pass
            else:
                await Service(plane, {}).model_infer(data, call)
    except RefusedError:
        pass
    return context.code


def mutated(data: bytes, edits: list[tuple[int, int]]) -> bytes:
    changed = bytearray(data)
    for at, value in edits:
        changed[at % len(changed)] = value
    return bytes(changed)


EDITS = st.lists(st.tuples(st.integers(0, 200), st.integers(0, 255)), min_size=1, max_size=6)
CONTENTS = st.builds(
    InferTensorContents,
    bool_contents=st.lists(st.booleans(), max_size=3),
    int_contents=st.lists(st.integers(-(1 << 31), (1 << 31) - 1), max_size=3),
    uint64_contents=st.lists(st.integers(0, (1 << 64) - 1), max_size=3),
    fp32_contents=st.lists(st.binary(max_size=9), max_size=2),
    fp64_contents=st.lists(st.binary(max_size=17), max_size=2),
    bytes_contents=st.lists(st.binary(max_size=3), max_size=3),
)
DATATYPES = ["BOOL", "INT8", "UINT16", "INT32", "UINT64", "FP16", "BF16", "FP32", "FP64", "BYTES"]


@settings(deadline=None, max_examples=200)
@given(st.binary(max_size=200), st.booleans())
def test_random_bytes(data: bytes, stream: bool) -> None:
    assert asyncio.run(code_of(data, stream=stream)) in ALLOWED


@settings(deadline=None, max_examples=300)
@given(EDITS, st.booleans(), st.booleans())
def test_mutated_messages(edits: list[tuple[int, int]], raw: bool, stream: bool) -> None:
    message = request(raw=raw, id_="7")
    message.outputs.add(name="x").parameters["k"].int64_param = 1
    data = mutated(message.SerializeToString(), edits)
    assert asyncio.run(code_of(data, stream=stream)) in ALLOWED


@settings(deadline=None, max_examples=300, suppress_health_check=[HealthCheck.too_slow])
@given(
    st.sampled_from(DATATYPES),
    st.lists(st.integers(-1, 1 << 62) | st.integers(0, 3), max_size=4),
    CONTENTS,
    st.none() | st.lists(st.binary(max_size=20), min_size=1, max_size=2),
)
def test_well_formed_messages_of_any_contents(
    datatype: str, shape: list[int], contents: InferTensorContents, raw: list[bytes] | None
) -> None:
    message = ModelInferRequest(model_name="echo", raw_input_contents=raw or [])
    message.inputs.add(name="x", datatype=datatype, shape=shape)
    if raw is None:
        message.inputs[0].contents.CopyFrom(contents)
    data = message.SerializeToString()
    assert asyncio.run(code_of(data, stream=False)) in ALLOWED


async def test_random_bytes_over_a_channel(running: Running) -> None:
    generator = np.random.default_rng(5)
    for size in (1, 7, 64, 500):
        code, _ = await running.refused("ModelInfer", b"\xff" + generator.bytes(size))
        assert code in ALLOWED
