"""``InputCodec`` and ``RequestCodec``, and the registry of their subclasses."""

from __future__ import annotations

from typing import Any, ClassVar, TypeVar, Union

from ..types import (  # noqa: TID252 - this package is found as mlserver
    InferenceRequest,
    InferenceResponse,
    RequestInput,
    ResponseOutput,
)

__all__ = [
    "InputCodec",
    "InputCodecLike",
    "RequestCodec",
    "RequestCodecLike",
    "find_input_codec",
    "find_input_codec_by_payload",
    "find_input_codec_by_type_hint",
    "find_request_codec",
    "find_request_codec_by_payload",
    "find_request_codec_by_type_hint",
    "register_input_codec",
    "register_request_codec",
]


class InputCodec:
    """One input or output, to a value and back."""

    ContentType: ClassVar[str] = ""
    TypeHint: ClassVar[Any] = type(None)

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Whether a value is of this codec's type."""
        return False

    @classmethod
    def encode_output(cls, name: str, payload: Any, **kwargs: Any) -> ResponseOutput:
        """A value as an output."""
        raise NotImplementedError

    @classmethod
    def decode_output(cls, response_output: ResponseOutput) -> Any:
        """An output's value."""
        raise NotImplementedError

    @classmethod
    def encode_input(cls, name: str, payload: Any, **kwargs: Any) -> RequestInput:
        """A value as an input."""
        raise NotImplementedError

    @classmethod
    def decode_input(cls, request_input: RequestInput) -> Any:
        """An input's value."""
        raise NotImplementedError


class RequestCodec:
    """A whole request or response, to a value and back."""

    ContentType: ClassVar[str] = ""
    TypeHint: ClassVar[Any] = type(None)

    @classmethod
    def can_encode(cls, payload: Any) -> bool:
        """Whether a value is of this codec's type."""
        return False

    @classmethod
    def encode_response(
        cls, model_name: str, payload: Any, model_version: str | None = None, **kwargs: Any
    ) -> InferenceResponse:
        """A value as an answer."""
        raise NotImplementedError

    @classmethod
    def decode_response(cls, response: InferenceResponse) -> Any:
        """An answer's value."""
        raise NotImplementedError

    @classmethod
    def encode_request(cls, payload: Any, **kwargs: Any) -> InferenceRequest:
        """A value as a request."""
        raise NotImplementedError

    @classmethod
    def decode_request(cls, request: InferenceRequest) -> Any:
        """A request's value."""
        raise NotImplementedError


InputCodecLike = Union[type[InputCodec], InputCodec]  # noqa: UP007 - used as a value by models
RequestCodecLike = Union[type[RequestCodec], RequestCodec]  # noqa: UP007 - used as a value by models

_inputs: dict[str, InputCodecLike] = {}
_requests: dict[str, RequestCodecLike] = {}

_I = TypeVar("_I", bound=InputCodecLike)
_R = TypeVar("_R", bound=RequestCodecLike)


def register_input_codec(codec: _I) -> _I:
    """Add a codec, by its content type."""
    _inputs[codec.ContentType] = codec
    return codec


def register_request_codec(codec: _R) -> _R:
    """Add a codec, by its content type."""
    _requests[codec.ContentType] = codec
    return codec


def find_input_codec(
    content_type: str | None = None, payload: Any = None, type_hint: Any = None
) -> InputCodecLike | None:
    """The codec of a content type, else of a value, else of a type."""
    if content_type:
        return _inputs.get(content_type)
    if payload is not None:
        return find_input_codec_by_payload(payload)
    return find_input_codec_by_type_hint(type_hint) if type_hint is not None else None


def find_input_codec_by_payload(payload: Any) -> InputCodecLike | None:
    """The codec of a value."""
    return next((codec for codec in _inputs.values() if codec.can_encode(payload)), None)


def find_input_codec_by_type_hint(type_hint: Any) -> InputCodecLike | None:
    """The codec of a type."""
    return next((codec for codec in _inputs.values() if codec.TypeHint == type_hint), None)


def find_request_codec(
    content_type: str | None = None, payload: Any = None, type_hint: Any = None
) -> RequestCodecLike | None:
    """The codec of a content type, else of a value, else of a type."""
    if content_type:
        return _requests.get(content_type)
    if payload is not None:
        return find_request_codec_by_payload(payload)
    return find_request_codec_by_type_hint(type_hint) if type_hint is not None else None


def find_request_codec_by_payload(payload: Any) -> RequestCodecLike | None:
    """The codec of a value."""
    return next((codec for codec in _requests.values() if codec.can_encode(payload)), None)


def find_request_codec_by_type_hint(type_hint: Any) -> RequestCodecLike | None:
    """The codec of a type."""
    return next((codec for codec in _requests.values() if codec.TypeHint == type_hint), None)
