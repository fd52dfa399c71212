"""``@decode_args``: `predict` with an argument an input, decoded by its annotation."""

from __future__ import annotations

import types
from collections.abc import Callable, Coroutine
from functools import wraps
from typing import Any, Union, get_args, get_origin, get_type_hints

from ..types import InferenceRequest, InferenceResponse, ResponseOutput  # noqa: TID252
from .base import (
    InputCodec,
    RequestCodec,
    find_input_codec_by_type_hint,
    find_request_codec_by_type_hint,
)
from .errors import CodecNotFound, InputsNotFound, OutputNotFound

__all__ = ["decode_args"]

Predict = Callable[[Any, InferenceRequest], Coroutine[Any, Any, InferenceResponse]]


def decode_args(predict: Callable[..., Coroutine[Any, Any, Any]]) -> Predict:
    """Decode the inputs of these names, and encode what is returned. Raises `CodecNotFound`.

    Inputs of other names are the columns of the argument that is a data frame, if there is one.
    """
    hints = {name: _bare(hint) for name, hint in get_type_hints(predict).items()}
    returned = hints.pop("return", None)
    wanted = [] if returned is None else _members(returned)
    codecs = {name: _codec(hint, name) for name, hint in hints.items()}
    encoders = [_codec(hint, None) for hint in wanted]

    @wraps(predict)
    async def decoded(self: Any, request: InferenceRequest) -> InferenceResponse:
        result = await predict(self, **_arguments(request, codecs))
        results = list(result) if isinstance(result, tuple) else [result]
        outputs: list[ResponseOutput] = []
        for index, each in enumerate(results):
            if index >= len(encoders) or not encoders[index].can_encode(each):
                raise OutputNotFound(index, type(each), wanted)
            outputs += _encoded(encoders[index], index, each)
        return InferenceResponse(model_name=self.name, model_version=self.version, outputs=outputs)

    return decoded


def _arguments(request: InferenceRequest, codecs: dict[str, Any]) -> dict[str, Any]:
    values = {}
    others = []
    for each in request.inputs:
        codec = codecs.get(each.name)
        if codec is not None and _is(codec, InputCodec):
            values[each.name] = codec.decode_input(each)
        else:
            others.append(each)
    if others:
        whole = next((name for name, codec in codecs.items() if _is(codec, RequestCodec)), None)
        if whole is None:
            raise InputsNotFound(others, codecs)
        values[whole] = codecs[whole].decode_request(InferenceRequest(inputs=others))
    return values


def _encoded(codec: Any, index: int, value: Any) -> list[ResponseOutput]:
    if _is(codec, InputCodec):
        return [codec.encode_output(name=f"output-{index}", payload=value)]
    outputs: list[ResponseOutput] = codec.encode_response(model_name="", payload=value).outputs
    return outputs


def _codec(hint: Any, name: str | None) -> Any:
    codec = find_input_codec_by_type_hint(hint) or find_request_codec_by_type_hint(hint)
    if codec is None:
        raise CodecNotFound(name=name, payload_type=str(hint), is_input=name is not None)
    return codec


def _bare(hint: Any) -> Any:
    """``Optional[x]`` as x."""
    if get_origin(hint) in (Union, types.UnionType):
        members = [each for each in get_args(hint) if each is not type(None)]
        return members[0] if len(members) == 1 else hint
    return hint


def _members(hint: Any) -> list[Any]:
    return list(get_args(hint)) if get_origin(hint) is tuple else [hint]


def _is(codec: Any, kind: type) -> bool:
    return issubclass(codec if isinstance(codec, type) else type(codec), kind)
