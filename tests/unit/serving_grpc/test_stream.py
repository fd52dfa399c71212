"""ModelStreamInfer, in Triton's form and in MLServer's."""

from __future__ import annotations

import grpc
import pytest

from predictors.serving.grpc.messages import (
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)
from tests.unit.serving_grpc.conftest import SERVICE, Running, Stream, request


async def stream(
    running: Running, messages: list[ModelInferRequest], form: str | None = None
) -> list[bytes]:
    method: Stream = running.channel.stream_stream(f"{SERVICE}ModelStreamInfer")
    metadata = (("stream-response", form),) if form else ()
    parts = iter([message.SerializeToString() for message in messages])
    return [answer async for answer in method(parts, metadata=metadata, timeout=10)]


async def test_typed_requests_are_answered_in_mlservers_form(running: Running) -> None:
    answers = await stream(running, [request(id_="a"), request("counting", id_="b")])
    found = [ModelInferResponse.FromString(answer) for answer in answers]
    assert [answer.id for answer in found] == ["a", "b", "b", "b"]
    assert [[*answer.outputs[0].contents.int64_contents] for answer in found[1:]] == [[0], [1], [2]]


async def test_raw_requests_are_answered_in_tritons_form(running: Running) -> None:
    messages = [request(raw=True, id_="a"), request("nope", raw=True, id_="b")]
    answers = await stream(running, [*messages, request(raw=True, id_="c")])
    found = [ModelStreamInferResponse.FromString(answer) for answer in answers]
    assert [answer.infer_response.id for answer in found] == ["a", "b", "c"]
    assert found[1].error_message == "Model with name nope does not exist."


async def test_the_last_answer_is_marked_when_asked_for(running: Running) -> None:
    message = request("counting", raw=True, id_="a")
    message.parameters["triton_enable_empty_final_response"].bool_param = True
    answers = [ModelStreamInferResponse.FromString(x) for x in await stream(running, [message])]
    final = [x.infer_response.parameters["triton_final_response"].bool_param for x in answers]
    assert final == [False, False, False, True]
    assert not answers[-1].infer_response.outputs


async def test_metadata_choose_the_form(running: Running) -> None:
    (answer,) = await stream(running, [request(id_="a")], "triton")
    assert ModelStreamInferResponse.FromString(answer).infer_response.id == "a"
    (answer,) = await stream(running, [request(raw=True, id_="a")], "mlserver")
    assert ModelInferResponse.FromString(answer).id == "a"


@pytest.mark.parametrize(
    ("message", "form", "code", "text"),
    [
        (request("nope"), None, grpc.StatusCode.NOT_FOUND, "nope"),
        (request(), "xml", grpc.StatusCode.INVALID_ARGUMENT, "stream-response must be one of"),
    ],
)
async def test_an_error_in_mlservers_form_is_the_status(
    running: Running,
    message: ModelInferRequest,
    form: str | None,
    code: grpc.StatusCode,
    text: str,
) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await stream(running, [message], form)
    assert caught.value.code() == code
    assert text in (caught.value.details() or "")


async def test_a_malformed_message_in_tritons_stream_is_an_error_message(
    running: Running,
) -> None:
    method: Stream = running.channel.stream_stream(f"{SERVICE}ModelStreamInfer")
    parts = iter([b"\xff", request(raw=True).SerializeToString()])
    call = method(parts, metadata=(("stream-response", "triton"),), timeout=10)
    answers = [ModelStreamInferResponse.FromString(answer) async for answer in call]
    assert "no ModelInferRequest" in answers[0].error_message
    assert answers[1].infer_response.outputs[0].name == "x"
