"""Which codec a content type means, and which takes a value."""

from __future__ import annotations

import inspect
import logging
from functools import cache
from importlib.metadata import entry_points
from typing import Any, Final, TypeVar

from predictors.serving.codecs.audio import AudioCodec
from predictors.serving.codecs.base import InputCodec, RequestCodec
from predictors.serving.codecs.frames import PandasCodec
from predictors.serving.codecs.images import ImageCodec
from predictors.serving.codecs.plain import NumpyCodec, RawCodec
from predictors.serving.codecs.text import Base64Codec, DatetimeCodec, JsonCodec, StringCodec
from predictors.serving.codecs.whole import NumpyRequestCodec, StringRequestCodec
from predictors.serving.tensors import Tensor

__all__ = [
    "ENTRY_POINTS",
    "encode_value",
    "encode_values",
    "find_input_codec",
    "find_request_codec",
    "known",
    "register_input_codec",
    "register_request_codec",
]

_log = logging.getLogger(__name__)

ENTRY_POINTS: Final = "rouse.codecs"
"""The entry point group whose members are codecs, as classes or instances."""

_inputs: Final[dict[str, InputCodec]] = {}
_requests: Final[dict[str, RequestCodec]] = {}

_I = TypeVar("_I", bound=InputCodec | type[InputCodec])
_R = TypeVar("_R", bound=RequestCodec | type[RequestCodec])


def register_input_codec(codec: _I) -> _I:
    """Add a codec of single inputs, in place of one of its name; fit for a class decorator."""
    made = codec() if isinstance(codec, type) else codec
    _inputs[made.content_type] = made
    return codec


def register_request_codec(codec: _R) -> _R:
    """Add a codec of whole requests, in place of one of its name; fit for a class decorator."""
    made = codec() if isinstance(codec, type) else codec
    _requests[made.content_type] = made
    return codec


def find_input_codec(content_type: str) -> InputCodec | None:
    """The codec of a content type of one input; None if there is none."""
    found = _inputs.get(content_type)
    if found is None and _installed():
        found = _inputs.get(content_type)
    return found


def find_request_codec(content_type: str) -> RequestCodec | None:
    """The codec of a content type of a whole request; None if there is none."""
    found = _requests.get(content_type)
    if found is None and _installed():
        found = _requests.get(content_type)
    return found


def known(*, whole: bool = False) -> list[str]:
    """The content types of single inputs, and of whole requests as well if `whole`."""
    _installed()
    return sorted(_inputs.keys() | (_requests.keys() if whole else set()))


def encode_value(name: str, value: Any, content_type: str | None = None) -> Tensor:
    """The tensor of a value, by the codec named or by the first that takes it.

    Raises TypeError where none does.
    """
    _installed()
    codec = _inputs.get(content_type) if content_type is not None else None
    if codec is None:
        # What was registered last is asked first, so that a user's codec is before ours.
        for each in reversed(_inputs.values()):
            if each.can_encode(value):
                codec = each
                break
    if codec is None and isinstance(value, list | tuple):
        codec = _inputs["np"]
    if codec is None:
        raise TypeError(f"no codec takes a {type(value).__name__}")
    return codec.encode(name, value)


def encode_values(value: Any) -> list[Tensor] | None:
    """The tensors of a value that is a whole answer, e.g. a data frame; None if it is not."""
    _installed()
    for codec in reversed(_requests.values()):
        if not isinstance(codec, NumpyRequestCodec | StringRequestCodec) and codec.can_encode(
            value
        ):
            return codec.encode(value)
    return None


@cache
def _installed() -> bool:
    """Register the codecs of installed packages, once; one that is broken is logged and left."""
    for entry in entry_points(group=ENTRY_POINTS):
        try:
            codec = entry.load()
            kind = codec if inspect.isclass(codec) else type(codec)
            if issubclass(kind, InputCodec):
                register_input_codec(codec)
            elif issubclass(kind, RequestCodec):
                register_request_codec(codec)
            else:
                raise TypeError(f"{entry.value} is neither an InputCodec nor a RequestCodec")
        except Exception as error:
            _log.error("codec %s cannot be loaded: %s: %s", entry.name, type(error).__name__, error)
    return True


for _codec in (
    RawCodec,
    JsonCodec,
    NumpyCodec,
    DatetimeCodec,
    Base64Codec,
    StringCodec,
    AudioCodec,
    ImageCodec,
):
    register_input_codec(_codec)
_inputs["image"] = _inputs[ImageCodec.content_type]
_inputs["pd_json"] = _inputs[JsonCodec.content_type]
for _whole in (NumpyRequestCodec, StringRequestCodec, PandasCodec):
    register_request_codec(_whole)
_requests["pd_json"] = _requests[PandasCodec.content_type]
