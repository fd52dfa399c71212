"""A request's values: whose content type counts, and applying it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from predictors.serving.codecs.registry import find_input_codec, find_request_codec, known
from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest
from predictors.serving.tensors import Tensor, TensorSpec

__all__ = ["content_type_of", "decode_input", "decode_request"]


def content_type_of(
    tensor: Tensor, request: Mapping[str, Any], spec: TensorSpec | None
) -> str | None:
    """The content type of an input: its own, else the request's, else its metadata's.

    That of the request counts where it is one of single inputs. Raises `InvalidInputError` naming
    the field of one that is not known.
    """
    own = (tensor.parameters or {}).get("content_type")
    if own is not None:
        return _known(own, f"{tensor.name}: parameters.content_type")
    whole = request.get("content_type")
    if isinstance(whole, str) and find_input_codec(whole) is not None:
        return whole
    told = (spec.parameters or {}).get("content_type") if spec is not None else None
    return _known(told, f"metadata of {tensor.name}") if told is not None else None


def decode_input(
    tensor: Tensor, request: Mapping[str, Any] | None = None, spec: TensorSpec | None = None
) -> Any:
    """The value of one input; its array where nobody names a content type.

    Raises `InvalidInputError`.
    """
    content_type = content_type_of(tensor, request or {}, spec)
    codec = find_input_codec(content_type) if content_type is not None else None
    return tensor.array if codec is None else codec.decode(tensor)


def decode_request(
    request: InferenceRequest, specs: Sequence[TensorSpec] = (), default: str | None = None
) -> Any:
    """The value of a whole request: of its codec, else a dict of its inputs' values by name.

    `default` is the content type of the model's metadata. Raises `InvalidInputError`.
    """
    own = request.parameters.get("content_type")
    whole = own if own is not None else default
    if whole is not None:
        _known(whole, "parameters.content_type", whole=True)
        codec = find_request_codec(whole)
        if codec is not None:
            return codec.decode(_with_metadata(request.inputs, specs))
    by_name = {spec.name: spec for spec in specs}
    values = {}
    for tensor in request.inputs:
        named = content_type_of(tensor, request.parameters, by_name.get(tensor.name)) or default
        each = find_input_codec(named) if named is not None else None
        values[tensor.name] = tensor.array if each is None else each.decode(tensor)
    return values


def _with_metadata(inputs: Sequence[Tensor], specs: Sequence[TensorSpec]) -> list[Tensor]:
    """The inputs, each with the parameters its metadata adds to its own."""
    told = {spec.name: spec.parameters for spec in specs if spec.parameters}
    return [
        tensor._replace(parameters={**told[tensor.name], **(tensor.parameters or {})})
        if tensor.name in told
        else tensor
        for tensor in inputs
    ]


def _known(content_type: object, field: str, *, whole: bool = False) -> str:
    if isinstance(content_type, str) and (
        find_input_codec(content_type) is not None
        or (whole and find_request_codec(content_type) is not None)
    ):
        return content_type
    raise InvalidInputError(
        f"{field}: content type {content_type!r} is not known here. Known: "
        f"{', '.join(known(whole=whole))}."
    )
