"""An `InferenceResponse`, and a model's metadata, as messages."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

import numpy as np

from predictors.serving.grpc import parameters
from predictors.serving.grpc.messages import (
    InferTensorContents,
    ModelInferResponse,
    ModelMetadataResponse,
    TensorMetadata,
)
from predictors.serving.inference import InferenceResponse
from predictors.serving.model import Model
from predictors.serving.tensors import (
    DATATYPES,
    Tensor,
    TensorSpec,
    declared_datatype,
    encode_raw,
)

__all__ = ["encode", "metadata"]

_RAW_ONLY: Final = frozenset({"FP16", "BF16"})


def encode(response: InferenceResponse, *, raw: bool) -> ModelInferResponse:
    """The message of a response: its values raw, as Triton's clients want them, or typed.

    FP16 and BF16 have no typed contents: a response with such an output is raw in any case.
    """
    message = ModelInferResponse(
        model_name=response.model_name, model_version=response.model_version, id=response.id or ""
    )
    if response.parameters:
        parameters.write(response.parameters, message.parameters)
    datatypes = [declared_datatype(tensor) for tensor in response.outputs]
    raw = raw or not _RAW_ONLY.isdisjoint(datatypes)
    for tensor, datatype in zip(response.outputs, datatypes, strict=True):
        output = message.outputs.add(
            name=tensor.name, datatype=datatype, shape=_shape(tensor.array.shape)
        )
        content_type = "str" if datatype == "BYTES" else "np"
        output.parameters["content_type"].string_param = content_type
        if tensor.parameters:
            own = {key: value for key, value in tensor.parameters.items() if key != "datatype"}
            parameters.write(own, output.parameters)
        if raw:
            message.raw_output_contents.append(bytes(encode_raw(tensor)))
        else:
            _fill(output.contents, tensor, datatype)
    return message


def _shape(shape: tuple[int, ...]) -> tuple[int, ...]:
    """As REST answers: a vector of n is n x 1."""
    return shape if len(shape) != 1 else (shape[0], 1)


def _fill(contents: InferTensorContents, tensor: Tensor, datatype: str) -> None:
    flat = tensor.array.ravel()
    if datatype == "FP32":
        contents.fp32_contents.append(flat.astype(np.float32, copy=False).tobytes())
    elif datatype == "FP64":
        contents.fp64_contents.append(flat.astype(np.float64, copy=False).tobytes())
    elif datatype == "BYTES":
        values = flat.tolist()
        contents.bytes_contents.extend(
            value if isinstance(value, bytes) else str(value).encode() for value in values
        )
    elif datatype == "BOOL":
        contents.bool_contents.extend(flat.tolist())
    elif datatype == "INT64":
        contents.int64_contents.extend(flat.tolist())
    elif datatype == "UINT64":
        contents.uint64_contents.extend(flat.tolist())
    elif DATATYPES[datatype].kind == "u":
        contents.uint_contents.extend(flat.tolist())
    else:
        contents.int_contents.extend(flat.tolist())


def metadata(model: Model, versions: Sequence[str]) -> ModelMetadataResponse:
    """The signature of a model."""
    message = ModelMetadataResponse(name=model.name, versions=versions, platform=model.platform)
    for spec in model.inputs:
        _describe(message.inputs.add(), spec)
    for spec in model.outputs:
        _describe(message.outputs.add(), spec)
    parameters.write(getattr(model, "metadata_extra", {}), message.parameters)
    return message


def _describe(message: TensorMetadata, spec: TensorSpec) -> None:
    message.name = spec.name
    message.datatype = spec.datatype
    message.shape.extend(spec.shape)
    own: dict[str, Any] = dict(spec.parameters or {})
    parameters.write(own, message.parameters)
