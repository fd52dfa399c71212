"""The binary tensor extension of V2, as Triton defines it: JSON, then the tensors' bytes.

The header Inference-Header-Content-Length is the length of the JSON. An input's bytes are as many
as its parameter ``binary_data_size``, in the order of the inputs. Numbers are not copied.
"""

from __future__ import annotations

import math
from typing import Any, Final

import numpy as np

from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest
from predictors.serving.model import Model
from predictors.serving.protocols import OCTETS, Encoded, Headers
from predictors.serving.tensors import (
    DATATYPES,
    Array,
    Tensor,
    TensorSpec,
    declared_datatype,
    decode_raw,
    encode_raw,
    text_or_bytes,
)
from predictors.serving.tensors import decode as decode_tensor
from predictors.serving.tensors.jsons import checked_head

__all__ = ["check_is_json", "decode_tensors", "encode_tensor", "joined", "raw_request", "split"]

_HEADER: Final = "Inference-Header-Content-Length"


def split(body: bytes, length: str) -> tuple[memoryview, memoryview]:
    """The JSON and the bytes behind it. Raises `InvalidInputError` naming the header."""
    view = memoryview(body)
    if not (length.isascii() and length.isdigit() and len(length) < 16):
        raise InvalidInputError(f"{_HEADER} must be a number of bytes, got {length[:40]!r}.")
    size = int(length)
    if size > len(view):
        raise InvalidInputError(f"{_HEADER} is {size}, the body has {len(view)} bytes.")
    return view[:size], view[size:]


def check_is_json(body: bytes, headers: Headers) -> None:
    """Raise `InvalidInputError` where bytes come as bytes, and nothing says how many are JSON."""
    if body[:1] == b"{" or headers.get("content-type") != OCTETS:
        return
    if body and not body[:64].lstrip().startswith(b"{"):
        raise InvalidInputError(
            f"The body is {OCTETS} and begins with no JSON object. Send the header {_HEADER}: the "
            "number of bytes of JSON before the tensors', 0 if there is none."
        )


def decode_tensors(items: list[Any], rest: memoryview) -> list[Tensor]:
    """The inputs of a request whose binary ones follow its JSON. Raises `InvalidInputError`."""
    tensors = []
    at = 0
    for index, item in enumerate(items):
        size = _size(item, index)
        if size is None:
            if isinstance(item, dict) and "data" not in item:
                raise InvalidInputError(
                    f"inputs[{index}] has neither data nor parameters.binary_data_size."
                )
            tensors.append(decode_tensor(item, index))
            continue
        if at + size > len(rest):
            raise InvalidInputError(
                f"inputs[{index}].parameters.binary_data_size is {size}, "
                f"{len(rest) - at} bytes of the body are left for it."
            )
        tensors.append(_tensor(item, index, rest[at : at + size]))
        at += size
    if at != len(rest):
        raise InvalidInputError(
            f"The body has {len(rest)} bytes behind its JSON; the inputs' binary_data_size add up "
            f"to {at}."
        )
    return tensors


def _size(item: object, index: int) -> int | None:
    parameters = item.get("parameters") if isinstance(item, dict) else None
    size = parameters.get("binary_data_size") if isinstance(parameters, dict) else None
    if size is not None and (type(size) is not int or size < 0):
        raise InvalidInputError(
            f"inputs[{index}].parameters.binary_data_size must be a number of bytes."
        )
    return size


def _tensor(item: dict[str, Any], index: int, data: memoryview) -> Tensor:
    name, datatype, shape, parameters = checked_head(item, index)
    if "data" in item:
        raise InvalidInputError(
            f"inputs[{index}] has data and parameters.binary_data_size; send one of them."
        )
    field = f"inputs[{index}].parameters.binary_data_size"
    array = decode_raw(datatype, shape, data, field)
    kept = {key: value for key, value in (parameters or {}).items() if key != "binary_data_size"}
    if datatype == "BF16":
        kept["datatype"] = datatype
    return Tensor(name, array, kept or None)


def raw_request(model: Model, body: memoryview, headers: Headers) -> InferenceRequest:
    """A body that is the bytes of a model's only input; the answer is binary as well.

    At most one size of the input's shape may be open; a BYTES input is one element, the body.
    Raises `InvalidInputError` where the model's signature does not tell how to read them.
    """
    if len(model.inputs) != 1:
        raise InvalidInputError(
            f"{_HEADER} 0 sends the bytes of a model's only input; model {model.name} has "
            f"{len(model.inputs)} inputs."
        )
    spec = model.inputs[0]
    array = _raw(spec, body)
    parameters = {"datatype": "BF16"} if spec.datatype == "BF16" else None
    return InferenceRequest(
        [Tensor(spec.name, array, parameters)],
        parameters={"binary_data_output": True},
        headers=headers,  # type: ignore[arg-type]
    )


def _raw(spec: TensorSpec, body: memoryview) -> Array:
    if spec.datatype == "BYTES":
        array: Array = np.empty((1,) * max(len(spec.shape), 1), dtype=object)
        array.flat[0] = text_or_bytes(bytes(body))
        return array
    size = 2 if spec.datatype == "BF16" else DATATYPES[spec.datatype].itemsize
    fixed = math.prod(size for size in spec.shape if size >= 0) * size
    free = sum(size < 0 for size in spec.shape)
    if free > 1 or not fixed or (free and len(body) % fixed):
        raise InvalidInputError(
            f"The body has {len(body)} bytes, which do not tell the shape of {spec.name}, "
            f"{list(spec.shape)} of {spec.datatype}; send JSON with a shape before them."
        )
    shape = tuple(size if size >= 0 else len(body) // fixed for size in spec.shape)
    return decode_raw(spec.datatype, shape, body, "The body's size")


def encode_tensor(tensor: Tensor, *, column: bool) -> tuple[dict[str, Any], bytes | memoryview]:
    """The head of an output and its bytes; a vector of n becomes n x 1 if `column`."""
    part = encode_raw(tensor)
    shape = list(tensor.array.shape)
    if column and len(shape) == 1:
        shape.append(1)
    parameters = {"binary_data_size": len(part)}
    if tensor.parameters:
        own = {key: value for key, value in tensor.parameters.items() if key != "datatype"}
        parameters = {**own, **parameters}
    head = {
        "name": tensor.name,
        "shape": shape,
        "datatype": declared_datatype(tensor),
        "parameters": parameters,
    }
    return head, part


def joined(head: bytes, parts: list[bytes | memoryview]) -> Encoded:
    """The answer of a JSON head and the bytes behind it, joined once."""
    headers = [(_HEADER.lower(), str(len(head)))]
    return Encoded(b"".join([head, *parts]), OCTETS, headers)
