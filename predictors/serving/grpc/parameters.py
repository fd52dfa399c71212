"""Maps of parameters, as protobuf's messages and as plain values."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Protocol

import orjson

from predictors.serving.grpc.messages import InferParameter, ModelRepositoryParameter

__all__ = ["read", "write"]

_INT64: Final = range(-(1 << 63), 1 << 63)
_UINT64: Final = range(1 << 63, 1 << 64)


class _Writable(Protocol):
    def __getitem__(self, key: str) -> InferParameter: ...


def read(parameters: Mapping[str, InferParameter | ModelRepositoryParameter]) -> dict[str, Any]:
    """Plain values by name; one whose choice is not set is None."""
    values: dict[str, Any] = {}
    for name, parameter in parameters.items():
        choice = parameter.WhichOneof("parameter_choice")
        values[name] = getattr(parameter, choice) if choice else None
    return values


def write(values: Mapping[str, Any], parameters: _Writable) -> None:
    """Put plain values into a map; lists and objects, which it cannot hold, as JSON; None not."""
    for name, value in values.items():
        if value is None:
            continue
        parameter = parameters[name]
        if isinstance(value, bool):
            parameter.bool_param = value
        elif isinstance(value, int) and value in _INT64:
            parameter.int64_param = value
        elif isinstance(value, int) and value in _UINT64:
            parameter.uint64_param = value
        elif isinstance(value, float):
            parameter.double_param = value
        elif isinstance(value, str):
            parameter.string_param = value
        else:
            parameter.string_param = orjson.dumps(value, default=str).decode()
