"""gRPC's messages as the JSON that V2's REST would have had for them."""

from __future__ import annotations

from typing import Any

from predictors.serving.errors import InvalidInputError
from predictors.serving.grpc import parameters
from predictors.serving.grpc.decoding import decode, parsed
from predictors.serving.grpc.framing import unframed
from predictors.serving.grpc.messages import ModelInferRequest, ModelInferResponse
from predictors.serving.protocols import dumped
from predictors.serving.tensors import encode as encode_tensor

__all__ = ["request_json", "responses_json"]


def request_json(data: bytes) -> bytes:
    """The JSON of a ModelInferRequest; of one that was refused, as much as can be read of it."""
    try:
        return _json(parsed(data), "inputs")
    except InvalidInputError as error:
        return dumped({"error": str(error)}, "")


def responses_json(data: bytes) -> bytes:
    """The JSON of framed ModelInferResponses, one a line."""
    return b"\n".join(_response(each) for each in unframed(data))


def _response(data: bytes) -> bytes:
    message = ModelInferResponse.FromString(data)
    # A response's tensors have the form of a request's, and so one reader.
    request = ModelInferRequest(
        model_name=message.model_name,
        model_version=message.model_version,
        id=message.id,
        inputs=message.outputs,
        raw_input_contents=message.raw_output_contents,
    )
    for name, value in message.parameters.items():
        request.parameters[name].CopyFrom(value)
    return _json(request, "outputs")


def _json(message: ModelInferRequest, tensors: str) -> bytes:
    request = decode(message, {}, None)
    told: dict[str, Any] = {
        "model_name": message.model_name,
        "model_version": message.model_version,
        "id": message.id,
        "parameters": parameters.read(message.parameters),
        tensors: [encode_tensor(tensor, column=False) for tensor in request.inputs],
    }
    return dumped({name: value for name, value in told.items() if value}, message.model_name)
