"""MLServer's codecs of single inputs, done by this server's own."""

from __future__ import annotations

from datetime import datetime
from typing import Any, ClassVar, List, Union  # noqa: UP035 - models are annotated with these

import numpy as np

from predictors.custom.compat.messages import array_of_message, fields_of
from predictors.serving import codecs as own
from predictors.serving.codecs.plain import array_of
from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Tensor

from ..types import Parameters, RequestInput, ResponseOutput  # noqa: TID252 - found as mlserver
from .base import InputCodec, register_input_codec
from .errors import CodecError

__all__ = ["Base64Codec", "DatetimeCodec", "NumpyCodec", "StringCodec", "tensor_of"]


class _Codec(InputCodec):
    """A codec whose work `own` does; values of BYTES are sent as bytes unless told not to."""

    own: ClassVar[own.InputCodec]

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Whether a value is of this codec's type."""
        return cls.own.can_encode(payload)

    @classmethod
    def encode_output(
        cls, name: str, payload: Any, use_bytes: bool = True, **kwargs: Any
    ) -> ResponseOutput:
        """A value as an output; a vector of n has the shape n x 1."""
        tensor = cls.own.encode(name, payload)
        parameters = Parameters(content_type=cls.ContentType)
        return ResponseOutput(parameters=parameters, **fields_of(tensor, use_bytes=use_bytes))

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> Any:
        """An output's value."""
        return cls._decoded(response_output)

    @classmethod
    def encode_input(
        cls, name: str, payload: Any, use_bytes: bool = True, **kwargs: Any
    ) -> RequestInput:
        """A value as an input."""
        output = cls.encode_output(name, payload, use_bytes)
        return RequestInput(**{field: getattr(output, field) for field in _FIELDS})

    @classmethod
    def decode_input(cls, request_input: RequestInput) -> Any:
        """An input's value."""
        return cls._decoded(request_input)

    @classmethod
    def _decoded(cls, message: RequestInput | ResponseOutput) -> Any:
        try:
            return cls.own.decode(tensor_of(message))
        except InvalidInputError as error:
            raise CodecError(str(error)) from None


_FIELDS = ("name", "shape", "datatype", "parameters", "data")


@register_input_codec
class NumpyCodec(_Codec):
    """An array."""

    ContentType: ClassVar[str] = "np"
    TypeHint: ClassVar[Any] = np.ndarray
    own: ClassVar[own.InputCodec] = own.NumpyCodec()

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Arrays."""
        return isinstance(payload, np.ndarray)


@register_input_codec
class StringCodec(_Codec):
    """A list of text."""

    ContentType: ClassVar[str] = "str"
    TypeHint: ClassVar[Any] = List[str]  # noqa: UP006
    own: ClassVar[own.InputCodec] = own.StringCodec()


@register_input_codec
class Base64Codec(_Codec):
    """A list of bytes."""

    ContentType: ClassVar[str] = "base64"
    TypeHint: ClassVar[Any] = List[bytes]  # noqa: UP006
    own: ClassVar[own.InputCodec] = own.Base64Codec()


@register_input_codec
class DatetimeCodec(_Codec):
    """A list of times."""

    ContentType: ClassVar[str] = "datetime"
    TypeHint: ClassVar[Any] = List[Union[str, datetime]]  # noqa: UP006, UP007
    own: ClassVar[own.InputCodec] = own.DatetimeCodec()

    @classmethod
    def encode_output(
        cls, name: str, payload: Any, use_bytes: bool = True, **kwargs: Any
    ) -> ResponseOutput:
        """Times, or text that tells them."""
        times = [datetime.fromisoformat(t) if isinstance(t, str) else t for t in payload]
        return super().encode_output(name, times, use_bytes)


def tensor_of(message: RequestInput | ResponseOutput) -> Tensor:
    """A message as this server's tensor."""
    parameters = message.parameters.model_dump() if message.parameters is not None else None
    return Tensor(message.name, array_of(array_of_message(message)), parameters)
