"""MLServer's stubs and converters: metadata, one request, a stream. The argument is the port."""

from __future__ import annotations

import sys
from typing import Any

import grpc
import numpy as np
from mlserver.codecs import NumpyCodec
from mlserver.grpc import dataplane_pb2
from mlserver.grpc.converters import ModelInferRequestConverter, ModelInferResponseConverter
from mlserver.grpc.dataplane_pb2_grpc import GRPCInferenceServiceStub
from mlserver.types import InferenceRequest

ROW = np.array([[1.0, 2.0, 3.0, 4.0]])


def row_of(answer: Any) -> Any:
    response = ModelInferResponseConverter.to_types(answer)
    return NumpyCodec.decode_output(response.outputs[0])


given = InferenceRequest(inputs=[NumpyCodec.encode_input("x", ROW)])
request = ModelInferRequestConverter.from_types(given, model_name="echo", model_version=None)
with grpc.insecure_channel(f"127.0.0.1:{sys.argv[1]}") as channel:
    stub = GRPCInferenceServiceStub(channel)
    assert stub.ModelMetadata(dataplane_pb2.ModelMetadataRequest(name="echo")).name == "echo"
    index = stub.RepositoryIndex(dataplane_pb2.RepositoryIndexRequest())
    assert index.models[0].state == "READY"
    np.testing.assert_array_equal(row_of(stub.ModelInfer(request)), ROW)
    answers = [row_of(answer) for answer in stub.ModelStreamInfer(iter([request, request]))]
    assert len(answers) == 2
    np.testing.assert_array_equal(answers[1], ROW)
