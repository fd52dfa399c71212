"""Content types: tensors to Python values and back, with MLServer's names and precedence.

Belongs here: what ``content_type`` means, for one input (`InputCodec`) and for a whole request
(`RequestCodec`), and finding the codec of a value. Does not belong here: the wire (protocols), or
who asks. Nothing here is imported by a request that names no codec; pandas and Pillow are imported
by the codecs that need them, when they are used.

An input's content type is that of its own parameters, else of the request's, else of the model's
metadata. Codecs of other packages are found by the entry point group ``rouse.codecs``.
"""

from predictors.serving.codecs.audio import Audio, AudioCodec
from predictors.serving.codecs.base import InputCodec, RequestCodec
from predictors.serving.codecs.frames import PandasCodec
from predictors.serving.codecs.images import ImageCodec
from predictors.serving.codecs.plain import NumpyCodec, RawCodec
from predictors.serving.codecs.registry import (
    ENTRY_POINTS,
    encode_value,
    encode_values,
    find_input_codec,
    find_request_codec,
    register_input_codec,
    register_request_codec,
)
from predictors.serving.codecs.requests import content_type_of, decode_input, decode_request
from predictors.serving.codecs.text import Base64Codec, DatetimeCodec, JsonCodec, StringCodec
from predictors.serving.codecs.whole import NumpyRequestCodec, StringRequestCodec

__all__ = [
    "ENTRY_POINTS",
    "Audio",
    "AudioCodec",
    "Base64Codec",
    "DatetimeCodec",
    "ImageCodec",
    "InputCodec",
    "JsonCodec",
    "NumpyCodec",
    "NumpyRequestCodec",
    "PandasCodec",
    "RawCodec",
    "RequestCodec",
    "StringCodec",
    "StringRequestCodec",
    "content_type_of",
    "decode_input",
    "decode_request",
    "encode_value",
    "encode_values",
    "find_input_codec",
    "find_request_codec",
    "register_input_codec",
    "register_request_codec",
]
