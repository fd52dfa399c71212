"""The requests of the comparison, the same bytes for every server."""

from __future__ import annotations

import struct
from dataclasses import dataclass, field
from typing import Final

import numpy as np
import orjson

__all__ = ["BIG_ROWS", "Body", "binary", "grpc_frame", "v1", "v2"]

ROW: Final = (5.1, 3.5, 1.4, 0.2)
BIG_ROWS: Final = 1000


@dataclass(frozen=True)
class Body:
    """A request's path (with the model called iris), content and headers."""

    path: str
    content: bytes
    headers: dict[str, str] = field(default_factory=dict)


def _rows(count: int) -> np.ndarray[tuple[int, ...], np.dtype[np.float64]]:
    spread = np.random.default_rng(7).normal(scale=0.3, size=(count, len(ROW)))
    spread[0] = 0
    return np.round(np.array(ROW) + spread, 2)


def v1(rows: int = 1) -> Body:
    """`instances` of the V1 protocol."""
    content = orjson.dumps({"instances": _rows(rows).tolist()})
    return Body("/v1/models/iris:predict", content, {"content-type": "application/json"})


def v2(rows: int = 1) -> Body:
    """One FP64 tensor of the Open Inference Protocol, as JSON."""
    tensor = {"name": "predict", "shape": [rows, len(ROW)], "datatype": "FP64"}
    data = _rows(rows).ravel().tolist()
    content = orjson.dumps({"inputs": [{**tensor, "data": data}]})
    return Body("/v2/models/iris/infer", content, {"content-type": "application/json"})


def binary(rows: int = 1) -> Body:
    """The same tensor by the binary extension, with a binary answer asked for."""
    data = _rows(rows).tobytes()
    tensor = {"name": "predict", "shape": [rows, len(ROW)], "datatype": "FP64"}
    head = orjson.dumps(
        {
            "inputs": [{**tensor, "parameters": {"binary_data_size": len(data)}}],
            "parameters": {"binary_data_output": True},
        }
    )
    headers = {
        "content-type": "application/octet-stream",
        "inference-header-content-length": str(len(head)),
    }
    return Body("/v2/models/iris/infer", head + data, headers)


def grpc_frame() -> Body:
    """A ModelInferRequest with one row as typed contents, framed for a gRPC stream."""
    contents = _field(7, b"".join(struct.pack("<d", value) for value in ROW))
    shape = _field(3, bytes([1, len(ROW)]))
    tensor = _field(1, b"predict") + _field(2, b"FP64") + shape + _field(5, contents)
    message = _field(1, b"iris") + _field(5, tensor)
    path = "/inference.GRPCInferenceService/ModelInfer"
    headers = {"content-type": "application/grpc", "te": "trailers"}
    return Body(path, b"\0" + struct.pack(">I", len(message)) + message, headers)


def _field(number: int, value: bytes) -> bytes:
    """A length-delimited protobuf field; lengths here stay below 128."""
    return bytes([number << 3 | 2, len(value)]) + value
