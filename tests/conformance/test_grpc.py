"""gRPC through the same ingress: the Open Inference Protocol's service."""

from __future__ import annotations

from collections.abc import AsyncIterator
from urllib.parse import urlsplit

import grpc
import numpy as np
import pytest
import pytest_asyncio

from predictors.serving.grpc.messages import ModelInferRequest, ModelInferResponse
from rouse.kube.objects import Object
from tests.conformance.cluster import Cluster
from tests.conformance.models import FIRST

Unary = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]
_SERVICE = "/inference.GRPCInferenceService"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def live(cluster: Cluster) -> Object:
    """A service whose one port speaks HTTP/2, as KServe's users write it."""
    fields = {
        "protocolVersion": "v2",
        "runtime": "rouse-sklearnserver",
        "args": ["--grpc_port=9000"],
        "ports": [{"name": "h2c", "protocol": "TCP", "containerPort": 9000}],
        "readinessProbe": {"tcpSocket": {"port": 9000}},
        "storageUri": cluster.models.uri(FIRST),
    }
    await cluster.apply(cluster.isvc("grpc", model_fields=fields))
    return await cluster.ready("grpc")


@pytest_asyncio.fixture(loop_scope="session")
async def channel(cluster: Cluster, live: Object) -> AsyncIterator[grpc.aio.Channel]:
    authority = urlsplit(live["status"]["url"]).netloc
    options = [("grpc.default_authority", authority)]
    async with grpc.aio.insecure_channel(cluster.options.ingress, options=options) as opened:
        yield opened


async def test_infer(cluster: Cluster, channel: grpc.aio.Channel) -> None:
    """ModelInfer answers raw tensors with raw tensors."""
    raw = np.array([cluster.models.flower.row]).tobytes()
    message = ModelInferRequest(model_name="grpc", raw_input_contents=[raw])
    message.inputs.add(name="predict", datatype="FP64", shape=[1, 4])
    infer: Unary = channel.unary_unary(f"{_SERVICE}/ModelInfer")
    answer = await infer(
        message.SerializeToString(), timeout=cluster.seconds(30), wait_for_ready=True
    )
    told = ModelInferResponse.FromString(answer)
    assert told.model_name == "grpc"
    labels = np.frombuffer(told.raw_output_contents[0], np.int64).tolist()
    assert labels == [cluster.models.flower.first]


async def test_an_unknown_model(cluster: Cluster, channel: grpc.aio.Channel) -> None:
    """ModelInfer of a model that is not there is NOT_FOUND and names it."""
    raw = np.array([cluster.models.flower.row]).tobytes()
    message = ModelInferRequest(model_name="other", raw_input_contents=[raw])
    message.inputs.add(name="predict", datatype="FP64", shape=[1, 4])
    infer: Unary = channel.unary_unary(f"{_SERVICE}/ModelInfer")
    with pytest.raises(grpc.aio.AioRpcError) as refused:
        await infer(message.SerializeToString(), timeout=cluster.seconds(30))
    assert refused.value.code() == grpc.StatusCode.NOT_FOUND
    assert "other" in (refused.value.details() or "")
