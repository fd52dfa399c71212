"""Requests that are a single tensor: ``np`` and ``str`` on the level of the request."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

from predictors.serving.codecs.base import InputCodec, RequestCodec
from predictors.serving.codecs.plain import NumpyCodec
from predictors.serving.codecs.text import StringCodec
from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Tensor

__all__ = ["NumpyRequestCodec", "StringRequestCodec"]


class _SingleCodec(RequestCodec):
    of: ClassVar[InputCodec]

    def can_encode(self, value: object) -> bool:
        """What the codec of its one tensor takes."""
        return self.of.can_encode(value)

    def decode(self, inputs: Sequence[Tensor]) -> Any:
        """The value of the only input. Raises `InvalidInputError` where there are several."""
        if len(inputs) != 1:
            names = ", ".join(tensor.name for tensor in inputs[:8])
            raise InvalidInputError(
                f"inputs: content type {self.content_type} on the request takes one input, "
                f"got {len(inputs)} ({names})."
            )
        return self.of.decode(inputs[0])

    def encode(self, value: Any) -> list[Tensor]:
        """One tensor, named as MLServer names it."""
        return [self.of.encode("output-0", value)]


class NumpyRequestCodec(_SingleCodec):
    """The only tensor as a numpy array."""

    content_type: ClassVar[str] = "np"
    of: ClassVar[InputCodec] = NumpyCodec()


class StringRequestCodec(_SingleCodec):
    """The only tensor as a list of text."""

    content_type: ClassVar[str] = "str"
    of: ClassVar[InputCodec] = StringCodec()
