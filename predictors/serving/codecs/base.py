"""What a codec is: a content type, and the way from tensors to values and back."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Sequence
from typing import Any, ClassVar

import numpy as np

from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Array, Tensor

__all__ = ["InputCodec", "RequestCodec", "as_bytes", "column", "elements"]


class InputCodec(ABC):
    """The content type of one input or output."""

    content_type: ClassVar[str]

    @abstractmethod
    def can_encode(self, value: object) -> bool:
        """Whether `encode` takes this value; used when nobody names a content type."""

    @abstractmethod
    def decode(self, tensor: Tensor) -> Any:
        """The value. Raises `InvalidInputError` naming the tensor and the element."""

    @abstractmethod
    def encode(self, name: str, value: Any) -> Tensor:
        """The tensor of a value that `can_encode`."""


class RequestCodec(ABC):
    """The content type of a whole request or response."""

    content_type: ClassVar[str]

    @abstractmethod
    def can_encode(self, value: object) -> bool:
        """Whether `encode` takes this value; used when nobody names a content type."""

    @abstractmethod
    def decode(self, inputs: Sequence[Tensor]) -> Any:
        """The value. Raises `InvalidInputError` naming the tensor."""

    @abstractmethod
    def encode(self, value: Any) -> list[Tensor]:
        """The tensors of a value that `can_encode`."""


def elements(tensor: Tensor, content_type: str) -> list[str | bytes]:
    """The elements of a BYTES tensor, flat. Raises `InvalidInputError` for any other."""
    values: list[str | bytes] = tensor.array.ravel().tolist()
    for index, value in enumerate(values):
        if not isinstance(value, str | bytes):
            raise InvalidInputError(
                f"{tensor.name}[{index}] is {type(value).__name__}; content type {content_type} "
                "needs a tensor of datatype BYTES."
            )
    return values


def as_bytes(value: str | bytes) -> bytes:
    """An element as bytes: text as UTF-8."""
    return value.encode() if isinstance(value, str) else value


def column(values: Iterable[object]) -> Array:
    """Objects as an array of n, whatever they are."""
    listed = list(values)
    array: Array = np.empty(len(listed), dtype=object)
    array[:] = listed
    return array
