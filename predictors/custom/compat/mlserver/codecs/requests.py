"""MLServer's codecs of whole requests: one array, one list of text, or a data frame."""

from __future__ import annotations

import sys
from typing import Any, ClassVar, List  # noqa: UP035 - models are annotated with it

import numpy as np

from predictors.custom.compat.messages import fields_of
from predictors.serving import codecs as own
from predictors.serving.errors import InvalidInputError

from ..types import (  # noqa: TID252 - this package is found as mlserver
    InferenceRequest,
    InferenceResponse,
    Parameters,
    RequestInput,
    ResponseOutput,
)
from .base import InputCodec, RequestCodec, register_request_codec
from .errors import CodecError
from .inputs import NumpyCodec, StringCodec, tensor_of

__all__ = ["NumpyRequestCodec", "PandasCodec", "StringRequestCodec"]


class _SingleCodec(RequestCodec):
    InputCodec: ClassVar[type[InputCodec]]

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Whether a value is of this codec's type."""
        return cls.InputCodec.can_encode(payload)

    @classmethod
    def encode_response(
        cls, model_name: str, payload: Any, model_version: str | None = None, **kwargs: Any
    ) -> InferenceResponse:
        """A value as an answer with one output."""
        return InferenceResponse(
            model_name=model_name,
            model_version=model_version,
            parameters=Parameters(content_type=cls.ContentType),
            outputs=[cls.InputCodec.encode_output("output-1", payload, **kwargs)],
        )

    @classmethod
    def decode_response(cls, response: InferenceResponse) -> Any:
        """The value of the only output."""
        return cls.InputCodec.decode_output(_only(response.outputs))

    @classmethod
    def encode_request(cls, payload: Any, **kwargs: Any) -> InferenceRequest:
        """A value as a request with one input."""
        return InferenceRequest(
            parameters=Parameters(content_type=cls.ContentType),
            inputs=[cls.InputCodec.encode_input("input-1", payload, **kwargs)],
        )

    @classmethod
    def decode_request(cls, request: InferenceRequest) -> Any:
        """The value of the only input."""
        return cls.InputCodec.decode_input(_only(request.inputs))


@register_request_codec
class NumpyRequestCodec(_SingleCodec):
    """One array."""

    InputCodec = NumpyCodec
    ContentType: ClassVar[str] = "np"


@register_request_codec
class StringRequestCodec(_SingleCodec):
    """One list of text."""

    InputCodec = StringCodec
    ContentType: ClassVar[str] = "str"
    TypeHint: ClassVar[Any] = List[str]  # noqa: UP006


class _FrameHint:
    """`pandas.DataFrame`, once somebody has imported pandas; equal to nothing before."""

    def __eq__(self, other: object) -> bool:
        pandas = sys.modules.get("pandas")
        return pandas is not None and other is pandas.DataFrame

    __hash__ = object.__hash__


@register_request_codec
class PandasCodec(RequestCodec):
    """A data frame, one input or output a column."""

    ContentType: ClassVar[str] = "pd"
    JsonContentType: ClassVar[str] = "pd_json"
    TypeHint: ClassVar[Any] = _FrameHint()

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Data frames."""
        return own.PandasCodec().can_encode(payload)

    @classmethod
    def encode_outputs(cls, payload: Any, use_bytes: bool = True) -> list[ResponseOutput]:
        """The columns as outputs."""
        outputs = []
        for tensor in own.PandasCodec().encode(payload):
            parameters = Parameters(**tensor.parameters) if tensor.parameters else None
            fields = fields_of(tensor, use_bytes=use_bytes)
            outputs.append(ResponseOutput(parameters=parameters, **fields))
        return outputs

    @classmethod
    def encode_response(
        cls,
        model_name: str,
        payload: Any,
        model_version: str | None = None,
        use_bytes: bool = True,
        **kwargs: Any,
    ) -> InferenceResponse:
        """A data frame as an answer."""
        return InferenceResponse(
            model_name=model_name,
            model_version=model_version,
            parameters=Parameters(content_type=cls.ContentType),
            outputs=cls.encode_outputs(payload, use_bytes),
        )

    @classmethod
    def decode_response(cls, response: InferenceResponse) -> Any:
        """An answer as a data frame."""
        return _frame(response.outputs)

    @classmethod
    def encode_request(
        cls, payload: Any, use_bytes: bool = True, **kwargs: Any
    ) -> InferenceRequest:
        """A data frame as a request."""
        return InferenceRequest(
            parameters=Parameters(content_type=cls.ContentType),
            inputs=[
                RequestInput(**output.model_dump(exclude_unset=False))
                for output in cls.encode_outputs(payload, use_bytes)
            ],
        )

    @classmethod
    def decode_request(cls, request: InferenceRequest) -> Any:
        """A request as a data frame."""
        return _frame(request.inputs)


def _frame(messages: list[Any]) -> Any:
    try:
        return own.PandasCodec().decode([tensor_of(message) for message in messages])
    except InvalidInputError as error:
        raise CodecError(str(error)) from None


def _only(messages: list[Any]) -> Any:
    if len(messages) != 1:
        raise CodecError(f"{len(messages)} tensors came where one is expected")
    return messages[0]


NumpyRequestCodec.TypeHint = np.ndarray
