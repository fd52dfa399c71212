"""gRPC through the ingress gateway: a model on a port named h2c, awake and from zero."""

from __future__ import annotations

from collections.abc import Callable

import grpc
import numpy as np

from perf.harness import Engine
from predictors.serving.grpc.messages import ModelInferRequest, ModelInferResponse
from rouse.kube.objects import Object
from rouse.kube.resources import PODS
from rouse.sdk import AsyncClient
from tests.e2e.support import ROW, isvc, until

Unary = grpc.aio.UnaryUnaryMultiCallable[bytes, bytes]


def service(name: str) -> Object:
    """An InferenceService that serves gRPC on its one port, as KServe's users write it."""
    model = {
        "modelFormat": {"name": "sklearn"},
        "protocolVersion": "v2",
        "runtime": "rouse-sklearnserver",
        "storageUri": "pvc://models/iris",
        "args": ["--grpc_port=9000"],
        "ports": [{"name": "h2c", "protocol": "TCP", "containerPort": 9000}],
        "readinessProbe": {"tcpSocket": {"port": 9000}},
    }
    return isvc(name, model=model)


def request(name: str) -> bytes:
    message = ModelInferRequest(model_name=name, raw_input_contents=[np.array(ROW).tobytes()])
    message.inputs.add(name="predict", datatype="FP64", shape=[1, 4])
    return message.SerializeToString()


async def test_grpc_reaches_a_model_awake_and_asleep(
    engine: Engine, client: AsyncClient, deploy: Callable[[Object], Object], name: str
) -> None:
    await client.apply(deploy(service(name)))
    await client.wait_ready(name, timeout_s=60)
    authority = f"{name}.default.localhost"
    options = [("grpc.default_authority", authority)]
    target = f"127.0.0.1:{engine.gateway_port}"
    async with grpc.aio.insecure_channel(target, options=options) as channel:
        infer: Unary = channel.unary_unary("/inference.GRPCInferenceService/ModelInfer")
        answers = [await infer(request(name), timeout=30)]
        await until(
            client.kube,
            PODS,
            lambda pods: not any(name in pod["metadata"]["name"] for pod in pods),
        )
        answers.append(await infer(request(name), timeout=30))
    for answer in answers:
        message = ModelInferResponse.FromString(answer)
        assert message.model_name == name
        assert np.frombuffer(message.raw_output_contents[0], np.int64).tolist() == [0]
