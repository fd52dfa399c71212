"""The client's side of the messages: what another server is asked, and what it answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from google.protobuf.message import DecodeError
from google.protobuf.unknown_fields import UnknownFieldSet

from predictors.serving.errors import InvalidInputError, RequestError
from predictors.serving.grpc import parameters
from predictors.serving.grpc.decoding import decode_tensors
from predictors.serving.grpc.messages import (
    ModelInferRequest,
    ModelInferResponse,
    ModelStreamInferResponse,
)
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.tensors import declared_datatype, encode_raw

__all__ = ["answered", "asked", "streamed"]

_OF_REST: Final = frozenset({"binary_data", "binary_data_output", "binary_data_size", "datatype"})
"""Parameters that say how REST carries a tensor; gRPC carries it raw."""


def asked(request: InferenceRequest, model_name: str) -> bytes:
    """The ModelInferRequest of a request, with its inputs' values as raw contents."""
    message = ModelInferRequest(model_name=model_name, id=request.id or "")
    parameters.write(_own(request.parameters), message.parameters)
    for tensor in request.inputs:
        made = message.inputs.add(
            name=tensor.name, datatype=declared_datatype(tensor), shape=tensor.array.shape
        )
        parameters.write(_own(tensor.parameters), made.parameters)
        message.raw_input_contents.append(bytes(encode_raw(tensor)))
    for output in request.outputs:
        wanted = message.outputs.add(name=output.name)
        parameters.write(_own(output.parameters), wanted.parameters)
    return message.SerializeToString()


def answered(data: bytes) -> InferenceResponse:
    """The response of a ModelInferResponse. Raises `InvalidInputError` where it is none."""
    try:
        return _response(ModelInferResponse.FromString(data))
    except DecodeError:
        raise InvalidInputError("The message is no ModelInferResponse, or is cut off.") from None


def streamed(data: bytes) -> InferenceResponse:
    """The response of one message of ModelStreamInfer, in Triton's form or in MLServer's.

    Raises `RequestError` with the server's words where the message is an error, and
    `InvalidInputError` where it is neither form.
    """
    try:
        message = ModelStreamInferResponse.FromString(data)
    except DecodeError:
        return answered(data)
    if UnknownFieldSet(message):
        return answered(data)
    if message.error_message:
        raise RequestError(message.error_message)
    return _response(message.infer_response)


def _response(message: ModelInferResponse) -> InferenceResponse:
    outputs = decode_tensors(message.outputs, message.raw_output_contents, "output")
    return InferenceResponse(outputs, parameters=parameters.read(message.parameters))


def _own(values: Mapping[str, Any] | None) -> dict[str, Any]:
    return {name: value for name, value in (values or {}).items() if name not in _OF_REST}
