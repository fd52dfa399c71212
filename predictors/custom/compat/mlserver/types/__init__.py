"""V2's messages as pydantic models."""

from __future__ import annotations

from collections.abc import Iterator
from enum import Enum
from typing import Any

import pydantic
from pydantic import ConfigDict, RootModel

__all__ = [
    "BaseModel",
    "Datatype",
    "InferenceRequest",
    "InferenceResponse",
    "MetadataModelResponse",
    "MetadataTensor",
    "Parameters",
    "RequestInput",
    "RequestOutput",
    "ResponseOutput",
    "TensorData",
]


class BaseModel(pydantic.BaseModel):
    """Dumps what is set, and no more; enumerations are kept as their values."""

    model_config = ConfigDict(protected_namespaces=(), use_enum_values=True)

    def model_dump(
        self, exclude_unset: bool = True, exclude_none: bool = True, **kwargs: Any
    ) -> dict[str, Any]:
        """As pydantic's."""
        return super().model_dump(exclude_unset=exclude_unset, exclude_none=exclude_none, **kwargs)

    def model_dump_json(
        self, exclude_unset: bool = True, exclude_none: bool = True, **kwargs: Any
    ) -> str:
        """As pydantic's."""
        return super().model_dump_json(
            exclude_unset=exclude_unset, exclude_none=exclude_none, **kwargs
        )


class Datatype(Enum):
    """V2's datatypes."""

    BOOL = "BOOL"
    UINT8 = "UINT8"
    UINT16 = "UINT16"
    UINT32 = "UINT32"
    UINT64 = "UINT64"
    INT8 = "INT8"
    INT16 = "INT16"
    INT32 = "INT32"
    INT64 = "INT64"
    FP16 = "FP16"
    FP32 = "FP32"
    FP64 = "FP64"
    BYTES = "BYTES"


class Parameters(BaseModel):
    """Of anything: a content type, the request's headers, and what else there is."""

    model_config = ConfigDict(extra="allow")

    content_type: str | None = None
    headers: dict[str, Any] | None = None


class TensorData(RootModel[list[Any] | Any]):
    """A tensor's values, flat or nested."""

    def __iter__(self) -> Iterator[Any]:  # type: ignore[override]  # MLServer's iterates values
        return iter(self.root)

    def __getitem__(self, index: int) -> Any:
        return self.root[index]

    def __len__(self) -> int:
        return len(self.root)


class MetadataTensor(BaseModel):
    """An input or output of a signature."""

    name: str
    datatype: Datatype
    shape: list[int]
    parameters: Parameters | None = None


class RequestInput(MetadataTensor):
    """An input."""

    data: TensorData


class ResponseOutput(MetadataTensor):
    """An output."""

    data: TensorData


class RequestOutput(BaseModel):
    """An output that is asked for."""

    name: str
    parameters: Parameters | None = None


class InferenceRequest(BaseModel):
    """A request."""

    id: str | None = None
    parameters: Parameters | None = None
    inputs: list[RequestInput]
    outputs: list[RequestOutput] | None = None


class InferenceResponse(BaseModel):
    """An answer."""

    model_name: str
    model_version: str | None = None
    id: str | None = None
    parameters: Parameters | None = None
    outputs: list[ResponseOutput]


class MetadataModelResponse(BaseModel):
    """A model's signature."""

    name: str
    versions: list[str] | None = None
    platform: str
    inputs: list[MetadataTensor] | None = None
    outputs: list[MetadataTensor] | None = None
    parameters: Parameters | None = None
