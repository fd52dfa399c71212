"""Health, metadata and the repository; deadlines, cancellation, limits and the end."""

from __future__ import annotations

import asyncio
import socket

import grpc
import pytest

from predictors.serving.errors import OverloadedError, RequestError, StartupError
from predictors.serving.grpc.messages import (
    HealthCheckRequest,
    HealthCheckResponse,
    ModelMetadataResponse,
    ModelReadyResponse,
    RepositoryIndexResponse,
    ServerLiveResponse,
    ServerMetadataResponse,
    ServerReadyResponse,
)
from predictors.serving.grpc.server import start_grpc
from predictors.serving.grpc.statuses import code_of, trailers_of
from tests.unit.serving_grpc.conftest import LIMITS, SERVER, SERVICE, Running, request, unary

Code = grpc.StatusCode


async def test_the_server_is_live_and_ready_once_every_model_is(running: Running) -> None:
    assert ServerLiveResponse.FromString(await running.call("ServerLive")).live
    assert not ServerReadyResponse.FromString(await running.call("ServerReady")).ready
    metadata = ServerMetadataResponse.FromString(await running.call("ServerMetadata"))
    assert (metadata.name, metadata.version, [*metadata.extensions]) == ("rouse-test", "0", ["one"])


@pytest.mark.parametrize(("name", "ready"), [("echo", True), ("loading", False)])
async def test_a_model_is_ready_or_not(running: Running, name: str, ready: bool) -> None:
    data = HealthCheckRequest(service=name).SerializeToString()
    assert ModelReadyResponse.FromString(await running.call("ModelReady", data)).ready is ready
    health = HealthCheckResponse.FromString(
        await running.call("/grpc.health.v1.Health/Check", data)
    )
    assert health.status == (1 if ready else 2)


async def test_a_model_that_is_not_there_is_not_found(running: Running) -> None:
    data = HealthCheckRequest(service="nope").SerializeToString()
    for method in ("ModelReady", "ModelMetadata"):
        assert await running.refused(method, data) == (
            Code.NOT_FOUND,
            "Model with name nope does not exist.",
        )
    health = HealthCheckResponse.FromString(
        await running.call("/grpc.health.v1.Health/Check", data)
    )
    assert health.status == HealthCheckResponse.SERVICE_UNKNOWN


async def test_metadata_is_the_models_signature(running: Running) -> None:
    data = HealthCheckRequest(service="described").SerializeToString()
    metadata = ModelMetadataResponse.FromString(await running.call("ModelMetadata", data))
    assert (metadata.name, [*metadata.versions], metadata.platform) == ("described", ["1"], "test")
    (tensor,) = metadata.inputs
    assert (tensor.name, tensor.datatype, [*tensor.shape]) == ("x", "FP64", [-1, 2])
    assert tensor.parameters["description"].string_param == "two numbers"


async def test_the_index_tells_states(running: Running) -> None:
    index = RepositoryIndexResponse.FromString(await running.call("RepositoryIndex"))
    states = {entry.name: entry.state for entry in index.models}
    assert states["echo"] == "READY"
    assert states["loading"] != "READY"
    ready = RepositoryIndexResponse.FromString(await running.call("RepositoryIndex", b"\x10\x01"))
    assert "loading" not in [entry.name for entry in ready.models]


@pytest.mark.parametrize("field", [1, 2], ids=["kserve", "triton"])
async def test_unload_takes_the_name_from_tritons_field_and_kserves(
    running: Running, field: int
) -> None:
    data = b"%c\x04echo" % (field << 3 | 2)
    answer = await running.call("RepositoryModelUnload", data)
    assert answer == b"\n\x04echo\x10\x01"  # KServe's model_name and isUnloaded
    assert (await running.refused("ModelInfer", request().SerializeToString()))[0] == Code.NOT_FOUND
    code, text = await running.refused("RepositoryModelUnload")
    assert (code, text) == (Code.INVALID_ARGUMENT, "model_name must be a non-empty string.")


async def test_what_is_not_known_is_unimplemented(running: Running) -> None:
    assert (await running.refused("ModelStatistics"))[0] == Code.UNIMPLEMENTED


async def test_a_deadline_ends_the_work(running: Running) -> None:
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.call("ModelInfer", request("slow").SerializeToString(), timeout=0.3)
    assert caught.value.code() == Code.DEADLINE_EXCEEDED
    await asyncio.wait_for(running.slow.dropped.wait(), 5)
    seen = running.slow.seen
    assert seen is not None
    assert seen.deadline is not None
    assert seen.deadline <= asyncio.get_running_loop().time() + 1


async def test_cancelling_a_call_drops_its_work_and_metadata_are_headers(running: Running) -> None:
    method = unary(running.channel, f"{SERVICE}ModelInfer")
    metadata = (("x-tenant", "a"), ("trace-bin", b"\1"))
    call = method(request("slow").SerializeToString(), metadata=metadata)
    await asyncio.wait_for(running.slow.asked.wait(), 5)
    call.cancel()
    await asyncio.wait_for(running.slow.dropped.wait(), 5)
    assert running.slow.seen is not None
    assert running.slow.seen.headers["x-tenant"] == "a"
    assert "trace-bin" not in running.slow.seen.headers


async def test_a_message_beyond_the_limit_is_refused(running: Running) -> None:
    code, _ = await running.refused("ModelInfer", bytes(LIMITS.body_bytes * 2))
    assert code == Code.RESOURCE_EXHAUSTED


async def test_stop_lets_a_call_finish_and_takes_no_other(running: Running) -> None:
    call = asyncio.ensure_future(running.call("ModelInfer", request("slow").SerializeToString()))
    await asyncio.wait_for(running.slow.asked.wait(), 5)
    stopping = asyncio.ensure_future(running.server.stop(0.2))
    with pytest.raises(grpc.aio.AioRpcError):
        await call
    await stopping
    with pytest.raises(grpc.aio.AioRpcError) as caught:
        await running.call("ServerLive")
    assert caught.value.code() == Code.UNAVAILABLE


async def test_a_socket_that_listens_is_served_instead(running: Running) -> None:
    inherited = socket.create_server(("127.0.0.1", 0))
    port = inherited.getsockname()[1]
    server = await start_grpc(running.plane, 1, limits=LIMITS, server=SERVER, inherited=inherited)
    assert server.port == port
    assert inherited.fileno() == -1
    async with grpc.aio.insecure_channel(f"127.0.0.1:{port}") as channel:
        assert await unary(channel, f"{SERVICE}ServerLive")(b"", timeout=5) == b"\x08\x01"
    await server.stop(0)


async def test_a_port_that_is_taken_is_named(running: Running) -> None:
    port = running.server.port
    with pytest.raises(StartupError, match=f"port {port}"):
        await start_grpc(running.plane, port, limits=LIMITS, server=SERVER, host="127.0.0.1")


def test_overload_tells_when_to_try_again() -> None:
    error = OverloadedError("full")
    assert code_of(error) == Code.UNAVAILABLE
    assert trailers_of(error) == (("grpc-retry-pushback-ms", "1000"),)
    assert trailers_of(RequestError("no")) == ()
