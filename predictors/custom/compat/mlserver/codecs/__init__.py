"""MLServer's codecs, done by this server's own."""

from __future__ import annotations

from typing import Any

from .base import (
    InputCodec,
    InputCodecLike,
    RequestCodec,
    RequestCodecLike,
    find_input_codec,
    find_input_codec_by_payload,
    find_request_codec,
    find_request_codec_by_payload,
    register_input_codec,
    register_request_codec,
)
from .decorator import decode_args
from .errors import CodecError
from .inputs import Base64Codec, DatetimeCodec, NumpyCodec, StringCodec
from .requests import NumpyRequestCodec, PandasCodec, StringRequestCodec

__all__ = [
    "Base64Codec",
    "CodecError",
    "DatetimeCodec",
    "InputCodec",
    "InputCodecLike",
    "NumpyCodec",
    "NumpyRequestCodec",
    "PandasCodec",
    "RequestCodec",
    "RequestCodecLike",
    "StringCodec",
    "StringRequestCodec",
    "content_type_of",
    "decode_args",
    "find_input_codec",
    "find_input_codec_by_payload",
    "find_request_codec",
    "find_request_codec_by_payload",
    "register_input_codec",
    "register_request_codec",
]


def content_type_of(message: Any, metadata: Any = None) -> str | None:
    """The content type of a message, else of its metadata."""
    for each in (message, metadata):
        parameters = getattr(each, "parameters", None)
        if parameters is not None and parameters.content_type:
            told: str = parameters.content_type
            return told
    return None
