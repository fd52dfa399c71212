"""A predictor that is asked over gRPC: what goes there, what comes back, what fails."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Callable, Mapping, Sequence
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import grpc
import numpy as np
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from predictors.serving.errors import (
    DeadlineError,
    InvalidInputError,
    ModelLoadError,
    RequestError,
    UnsupportedError,
)
from predictors.serving.grpc.messages import (
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)
from predictors.serving.inference import InferenceRequest, InferenceResponse, RequestedOutput
from predictors.serving.tensors import Tensor
from tests.unit.transformers.conftest import Context, Server, response, serving, v1
from transformers_pre import Transformer
from transformers_pre.errors import PredictorError, UnreachableError
from transformers_pre.grpc_predictor import GrpcPredictor
from transformers_pre.model import TransformerModel
from transformers_pre.predictor import PredictorSettings

ROW = np.array([[5.1, 3.5]])


Make = Callable[..., GrpcPredictor]


@pytest.fixture
async def predictor(server: Server) -> AsyncIterator[Make]:
    made: list[GrpcPredictor] = []

    def make(forwarded: Sequence[str] = (), **settings: Any) -> GrpcPredictor:
        told = {"host": f"127.0.0.1:{server.port}", "model_name": "iris", **settings}
        made.append(GrpcPredictor(PredictorSettings(protocol="grpc-v2", **told), forwarded))
        return made[-1]

    yield make
    for each in made:
        await each.close()


def request(**fields: Any) -> InferenceRequest:
    return InferenceRequest([Tensor("x", ROW, {"content_type": "np"})], **fields)


async def ask(
    predictor: GrpcPredictor, headers: Mapping[str, str] | None = None, **more: Any
) -> InferenceResponse:
    return await predictor.ask(predictor.encode(request()), headers or {}, **more)


async def test_tensors_go_raw_and_come_back(predictor: Make, server: Server) -> None:
    asked = predictor()
    body = asked.encode(request(id="7", outputs=[RequestedOutput("predict")], parameters={"k": 1}))
    answer = await asked.ask(body, {})
    (sent,) = server.sent
    assert (sent.model_name, sent.id, sent.parameters["k"].int64_param) == ("iris", "7", 1)
    assert [output.name for output in sent.outputs] == ["predict"]
    (given,) = sent.inputs
    assert (given.name, given.datatype, list(given.shape)) == ("x", "FP64", [1, 2])
    assert given.parameters["content_type"].string_param == "np"
    assert sent.raw_input_contents == [ROW.tobytes()]
    assert [(one.name, one.array.tolist()) for one in answer.outputs] == [("predict", [[7]])]


async def test_a_predictor_may_answer_typed(predictor: Make, server: Server) -> None:
    server.answer = lambda _: response(np.array([[7, 8]]), raw=False)
    assert (await ask(predictor())).outputs[0].array.tolist() == [[7, 8]]


async def test_a_v1_client_is_answered_through_both_steps(predictor: Make, server: Server) -> None:
    class Named(Transformer):
        def preprocess(self, payload: Any, headers: Mapping[str, str]) -> Any:
            return {"instances": [[value / 10 for value in row] for row in payload["instances"]]}

        async def postprocess(self, response: Any, headers: Mapping[str, str]) -> Any:
            return {"species": response.outputs[0].array.ravel().tolist()}

    model = TransformerModel(Named("iris"), predictor())
    answer = await model.infer(v1({"instances": [[51, 35]]}))
    assert answer.payload == {"species": [7]}
    (given,) = server.sent[0].inputs
    assert (given.name, list(given.shape)) == ("input-0", [1, 2])
    assert server.sent[0].raw_input_contents == [ROW.tobytes()]


@pytest.mark.parametrize(
    ("body", "inputs"),
    [
        (
            {"instances": [{"a": 1.5, "b": "x"}, {"a": 2.5, "b": "y"}]},
            [("a", "FP64"), ("b", "BYTES")],
        ),
        ({"instances": [1, 2]}, [("input-0", "INT64")]),
        (
            {"inputs": [{"name": "z", "datatype": "FP32", "shape": [1], "data": [1]}]},
            [("z", "FP32")],
        ),
    ],
)
async def test_bodies_become_tensors(
    predictor: Make, body: dict[str, Any], inputs: list[tuple[str, str]]
) -> None:
    sent = ModelInferRequest.FromString(predictor().encode(body))
    assert [(one.name, one.datatype) for one in sent.inputs] == inputs


@pytest.mark.parametrize(
    ("body", "said"),
    [
        ({"flowers": [1]}, 'must have "instances" or "inputs"'),
        ({"instances": [[1], [2, 3]]}, "ragged"),
        ({"instances": [{"a": 1}, {"b": 1}]}, r"instances\[1\] must be an object .* first: a"),
        ({"inputs": [{"name": "z"}]}, r"inputs\[0\]"),
    ],
)
async def test_what_is_no_tensor_is_refused(
    predictor: Make, body: dict[str, Any], said: str
) -> None:
    with pytest.raises(InvalidInputError, match=said):
        predictor().encode(body)


async def test_metadata_carries_trace_request_id_and_side(predictor: Make, server: Server) -> None:
    headers = {
        "traceparent": "00-1-2-01",
        "x-request-id": "r1",
        "tracestate": "ünprintable",
        "authorization": "t",
        "cookie": "secret",
        "rouse-lineage": "latest",
    }
    await ask(predictor(("authorization", "some-bin")), {**headers, "some-bin": "AA=="})
    told = server.metadata
    assert (told["traceparent"], told["x-request-id"]) == ("00-1-2-01", "r1")
    assert (told["authorization"], told["rouse-lineage"]) == ("t", "latest")
    assert not told.keys() & {"cookie", "tracestate", "some-bin"}


async def test_the_deadline_goes_along_and_ends_the_waiting(
    predictor: Make, server: Server
) -> None:
    async def never(_: Context) -> bytes:
        await asyncio.Event().wait()
        raise AssertionError

    loop = asyncio.get_running_loop()
    await ask(predictor(timeout_s=50.0), deadline=loop.time() + 5)
    assert server.left_s is not None
    assert server.left_s <= 5
    server.answer = never
    with pytest.raises(DeadlineError, match="did not answer in time"):
        await ask(predictor(), deadline=loop.time() + 0.1)
    async with asyncio.timeout(5):
        await server.dropped.wait()


async def test_no_more_calls_at_a_time_than_allowed(predictor: Make, server: Server) -> None:
    here, most, free = [0], [0], asyncio.Event()

    async def counted(_: Context) -> bytes:
        here[0] += 1
        most[0] = max(most[0], here[0])
        if here[0] == 2:
            free.set()
        await free.wait()
        here[0] -= 1
        return response(np.array([[1]]))

    server.answer = counted
    two = predictor(connections=2)
    async with asyncio.timeout(10):
        await asyncio.gather(*(ask(two) for _ in range(6)))
    assert most == [2]


@pytest.mark.parametrize(
    ("code", "status", "trailers", "headers"),
    [
        (grpc.StatusCode.INVALID_ARGUMENT, 400, (), ()),
        (grpc.StatusCode.NOT_FOUND, 404, (), ()),
        (grpc.StatusCode.RESOURCE_EXHAUSTED, 429, (), ()),
        (grpc.StatusCode.INTERNAL, 500, (), ()),
        (
            grpc.StatusCode.UNAVAILABLE,
            503,
            (("grpc-retry-pushback-ms", "1500"),),
            (("retry-after", "2"),),
        ),
    ],
)
async def test_the_predictors_status_and_its_wish_are_kept(
    predictor: Make,
    server: Server,
    code: grpc.StatusCode,
    status: int,
    trailers: tuple[tuple[str, str], ...],
    headers: tuple[tuple[str, str], ...],
) -> None:
    server.answer = lambda context: context.abort(code, "not so", trailers)
    with pytest.raises(PredictorError, match=f"answered {code.name}: not so") as caught:
        await ask(predictor())
    assert (caught.value.status, caught.value.headers) == (status, headers)


async def test_an_answer_that_is_none_is_a_502(predictor: Make, server: Server) -> None:
    server.answer = lambda _: b"\xff\xff"
    with pytest.raises(UnreachableError, match="something else than tensors") as caught:
        await ask(predictor())
    assert caught.value.status == 502


async def test_nobody_there_is_a_502_that_says_what_to_look_at(predictor: Make) -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]
    with pytest.raises(UnreachableError, match=r"refused.*--grpc_port.*h2c") as caught:
        await ask(predictor(host=f"127.0.0.1:{port}", retries=1))
    assert caught.value.status == 502


async def test_a_side_that_is_gone_is_answered_by_who_is_there(
    predictor: Make, server: Server
) -> None:
    # No address has a tag; of a name, the tagged one does not exist.
    host = f"gone.invalid:{server.port}"
    asked = predictor(host=host, retries=0)
    asked._channels[host] = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
    assert (await ask(asked, {"rouse-lineage": "prev"})).outputs[0].array.tolist() == [[7]]
    assert list(asked._channels) == [host, f"prev-{host}"]


@pytest.mark.parametrize("form", ["mlserver", "triton"])
async def test_streams_come_part_by_part(predictor: Make, server: Server, form: str) -> None:
    parts = [response(np.array([[number]])) for number in range(3)]
    if form == "triton":
        parts = [
            ModelStreamInferResponse(
                infer_response=ModelInferResponse.FromString(part)
            ).SerializeToString()
            for part in parts
        ]
    server.parts = parts
    model = TransformerModel(Transformer("iris"), predictor())
    got = [part.outputs[0].array.tolist() async for part in model.stream(request())]
    assert got == [[[0]], [[1]], [[2]]]
    assert server.metadata["stream-response"] == "mlserver"


async def test_streams_that_fail_say_why(predictor: Make, server: Server) -> None:
    asked = predictor()
    with pytest.raises(PredictorError, match=r"NOT_FOUND: There is no model iris\.") as caught:
        [part async for part in asked.stream(asked.encode(request()), {})]
    assert caught.value.status == 404
    server.parts = [ModelStreamInferResponse(error_message="no rows").SerializeToString()]
    with pytest.raises(RequestError, match="no rows"):
        [part async for part in asked.stream(asked.encode(request()), {})]


async def test_explanations_have_no_call(predictor: Make) -> None:
    with pytest.raises(UnsupportedError, match="--predictor_protocol v1 or v2"):
        await ask(predictor(), explain=True)


async def test_a_predictor_with_tls(
    predictor: Make, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    key, certificate = self_signed()
    trusted = tmp_path / "ca.pem"
    trusted.write_bytes(certificate)
    monkeypatch.setenv("SSL_CERT_FILE", str(trusted))
    async with serving(grpc.ssl_server_credentials([(key, certificate)])) as server:
        asked = predictor(host=f"127.0.0.1:{server.port}", tls=True)
        assert (await ask(asked)).outputs[0].array.tolist() == [[7]]
        monkeypatch.delenv("SSL_CERT_FILE")
        stranger = predictor(host=f"127.0.0.1:{server.port}", tls=True, retries=0)
        with pytest.raises(UnreachableError, match="cannot be reached over gRPC"):
            await ask(stranger)


def self_signed() -> tuple[bytes, bytes]:
    """Key and certificate of 127.0.0.1, as PEM."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "predictor")])
    now = datetime.now(UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - timedelta(minutes=1))
        .not_valid_after(now + timedelta(hours=1))
        .add_extension(
            x509.SubjectAlternativeName([x509.IPAddress(ip_address("127.0.0.1"))]), critical=False
        )
        .sign(key, hashes.SHA256())
    )
    pem = serialization.Encoding.PEM
    form = (serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    return key.private_bytes(pem, *form), certificate.public_bytes(pem)


async def test_tls_wants_certificates_that_can_be_read(
    predictor: Make, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SSL_CERT_FILE", "/none/at/all.pem")
    with pytest.raises(ModelLoadError, match=r"SSL_CERT_FILE: /none/at/all\.pem cannot be read"):
        predictor(tls=True)


async def test_who_is_slow_to_read_a_stream_is_told_of_the_deadline_and_not_cancelled(
    predictor: Make, server: Server
) -> None:
    server.parts = [response(np.array([[number]])) for number in range(2)]
    asked = predictor(connections=1)
    loop = asyncio.get_running_loop()
    parts = asked.stream(asked.encode(request()), {}, deadline=loop.time() + 0.1)
    assert (await anext(parts)).outputs[0].array.tolist() == [[0]]
    await asyncio.sleep(0.15)  # until the deadline is over
    with suppress(DeadlineError, StopAsyncIteration):
        await anext(parts)
    await parts.aclose()
    # Its place among the calls is free again.
    await ask(asked, deadline=loop.time() + 5)


async def test_what_may_have_arrived_is_not_sent_to_the_other_side(
    predictor: Make, server: Server
) -> None:
    """A side that breaks off in the middle of a call may have done what it was asked."""
    calls = []

    async def breaks_off(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        settings, headers = b"\x04", b"\x01"
        writer.write(bytes(3) + settings + bytes(5))
        await reader.readexactly(len(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n"))
        kind = b""
        while kind != headers:
            head = await reader.readexactly(9)
            kind = head[3:4]
            await reader.readexactly(int.from_bytes(head[:3], "big"))
        calls.append(kind)
        writer.close()

    async with await asyncio.start_server(breaks_off, "127.0.0.1", 0) as side:
        host = f"predictor.invalid:{server.port}"
        asked = predictor(host=host)
        port = side.sockets[0].getsockname()[1]
        asked._channels[host] = grpc.aio.insecure_channel(f"127.0.0.1:{server.port}")
        asked._channels[f"prev-{host}"] = grpc.aio.insecure_channel(f"127.0.0.1:{port}")
        # Which of the two depends on whether gRPC sees the answer or the connection end first.
        with pytest.raises((UnreachableError, PredictorError), match=f"prev-{host}"):
            await ask(asked, {"rouse-lineage": "prev"})
    assert (len(calls), server.sent) == (1, [])
