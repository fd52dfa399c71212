"""Tensors as JSON: the elements of ``inputs`` and ``outputs`` of V2 bodies."""

from __future__ import annotations

import math
from base64 import b64encode
from itertools import chain
from struct import error, pack_into
from typing import Any, Final

import numpy as np

from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors.datatypes import (
    BF16,
    DATATYPES,
    MAX_DIMENSIONS,
    MAX_VALUES,
    Array,
    Tensor,
    declared_datatype,
)

__all__ = [
    "checked_head",
    "checked_shape",
    "decode",
    "encode",
    "flattened",
    "kind_of",
    "numbers",
    "packed",
]

_PACKED: Final = {
    "UINT8": "B",
    "UINT16": "H",
    "UINT32": "I",
    "UINT64": "Q",
    "INT8": "b",
    "INT16": "h",
    "INT32": "i",
    "INT64": "q",
    "FP16": "e",
    "FP32": "f",
    "FP64": "d",
}
"""What `struct` calls the datatypes it packs with every check; it takes anything for a BOOL."""

_STRINGS: Final = {"content_type": "str"}
_NUMBERS: Final = {"content_type": "np"}


def encode(tensor: Tensor, *, column: bool = True) -> dict[str, Any]:
    """A response output: flat data in row-major order; a vector of n becomes n x 1 if `column`.

    Its data may be an array, for `orjson.OPT_SERIALIZE_NUMPY`.
    """
    array = tensor.array
    shape = list(array.shape)
    if column and len(shape) == 1:
        shape.append(1)
    datatype = declared_datatype(tensor)
    parameters: dict[str, Any] = _NUMBERS
    data: Any
    if datatype == "BYTES":
        data, is_text = _strings_of(array)
        parameters = _STRINGS if is_text else {"content_type": "base64"}
    elif array.dtype.char == "f" or array.size > 16:
        # orjson writes the shortest digits of a float32; tolist() would make it a float64.
        data = np.ascontiguousarray(array, DATATYPES[datatype]).reshape(-1)
    else:
        data = array.ravel().tolist()
    if tensor.parameters:
        own = {key: value for key, value in tensor.parameters.items() if key != "datatype"}
        parameters = {**parameters, **own}
    return {
        "name": tensor.name,
        "shape": shape,
        "datatype": datatype,
        "parameters": parameters,
        "data": data,
    }


def _strings_of(array: Array) -> tuple[list[str], bool]:
    """All elements as strings: as text, or as base64 when some are not UTF-8."""
    values = array.ravel().tolist()
    try:
        return [x.decode() if isinstance(x, bytes) else str(x) for x in values], True
    except UnicodeDecodeError:
        raw = [x if isinstance(x, bytes) else str(x).encode() for x in values]
        return [b64encode(x).decode() for x in raw], False


def decode(item: object, index: int) -> Tensor:
    """An element of a V2 request's ``inputs`` as a checked array; `index` names it in errors.

    Raises `InvalidInputError` naming the field, e.g. ``inputs[0].shape``.
    """
    name, datatype, shape, parameters = checked_head(item, index)
    data = item.get("data")  # type: ignore[attr-defined]
    if not isinstance(data, list):
        raise InvalidInputError(f"inputs[{index}].data must be a list, got {kind_of(data)}.")
    flat = flattened(data)
    array = packed(flat[0], datatype) if flat is not None else None
    if flat is not None and array is not None:
        array = array.reshape(flat[1])
    elif datatype == "BYTES":
        array = _strings(data, f"inputs[{index}].data")
    else:
        array = numbers(data, datatype, f"inputs[{index}].data")
        if datatype == BF16:
            parameters = {**(parameters or {}), "datatype": BF16}
    return Tensor(name, _reshaped(array, shape, index), parameters)


def checked_head(
    item: object, index: int
) -> tuple[str, str, tuple[int, ...], dict[str, Any] | None]:
    """Name, datatype, shape and parameters of an element of ``inputs``, each checked."""
    if not isinstance(item, dict):
        raise InvalidInputError(f"inputs[{index}] must be an object, got {kind_of(item)}.")
    name = item.get("name")
    if not isinstance(name, str) or not name:
        raise InvalidInputError(f"inputs[{index}].name must be a non-empty string.")
    datatype = item.get("datatype")
    if not isinstance(datatype, str) or datatype not in DATATYPES:
        raise InvalidInputError(
            f"inputs[{index}].datatype must be one of {', '.join(DATATYPES)}, got {datatype!r}."
        )
    parameters = item.get("parameters")
    if parameters is not None and type(parameters) is not dict:
        raise InvalidInputError(f"inputs[{index}].parameters must be an object.")
    return name, datatype, checked_shape(item.get("shape"), f"inputs[{index}]"), parameters


def checked_shape(shape: object, field: str) -> tuple[int, ...]:
    """A request's shape as sizes within the limits. Raises `InvalidInputError`."""
    if not isinstance(shape, list):
        raise InvalidInputError(_bad_shape(shape, field))
    for size in shape:
        if type(size) is not int or size < 0:
            raise InvalidInputError(_bad_shape(shape, field))
    if len(shape) > MAX_DIMENSIONS:
        raise InvalidInputError(
            f"{field}.shape has {len(shape)} dimensions; at most {MAX_DIMENSIONS} are taken."
        )
    # Sizes beside a zero count as well: numpy multiplies them before it sees the zero.
    if math.prod(size or 1 for size in shape) > MAX_VALUES:
        raise InvalidInputError(
            f"{field}.shape {shape} asks for more than {MAX_VALUES} values in one tensor."
        )
    return tuple(shape)


def _bad_shape(shape: object, field: str) -> str:
    given = repr(shape)
    shown = given if len(given) <= 80 else given[:80] + "..."
    return f"{field}.shape must be a list of sizes, zero or more each, got {shown}."


def flattened(data: list[Any]) -> tuple[list[Any], tuple[int, ...]] | None:
    """Nested lists as one list and their shape; None where they are ragged or nested too deep."""
    values, shape = data, [len(data)]
    while values and type(values[0]) is list:
        width = len(values[0])
        if len(shape) == MAX_DIMENSIONS:
            return None
        if len(values) > 1:
            try:
                sizes = [*map(len, values)]
            except TypeError:
                return None
            if sizes.count(width) != len(values):
                return None
        # A string or an object among the rows is told by what packs the values it falls into.
        values = [*chain.from_iterable(values)] if len(values) > 1 else values[0]
        shape.append(width)
    return values, tuple(shape)


def packed(values: list[Any], datatype: str) -> Array | None:
    """Numbers as an array, in a third of numpy's time; None where they need a closer look.

    `struct` refuses strings, null, fractions for integers, and what is out of range. A boolean
    is told only in the first place: beside numbers it counts as 0 or 1, as in numpy.
    """
    packing = _PACKED.get(datatype)
    if packing is None or not values or type(values[0]) is bool:
        return None
    array: Array = np.empty(len(values), DATATYPES[datatype])
    try:
        pack_into(f"<{len(values)}{packing}", array.data, 0, *values)
    except (error, OverflowError):
        return None
    return array


def numbers(data: list[Any], datatype: str, field: str) -> Array:
    """`data` as `datatype`, refusing what a plain cast would bend: strings, fractions, overflow.

    null is NaN for floating datatypes. The long way, for what `packed` leaves.
    """
    dtype = DATATYPES[datatype]
    # Of objects: among numbers, one long string would make numpy reserve its length for each.
    array: Array = np.array(data, dtype=object)
    kinds = set(map(type, array.flat))
    if list in kinds:
        raise InvalidInputError(f"{field} is ragged: its rows differ in length.")
    allowed = {int, float, bool, type(None)} if dtype.kind == "f" else {int, float, bool}
    if kinds - allowed or (kinds == {bool} and dtype.kind != "b"):
        raise InvalidInputError(f"{field} must hold {datatype} values only.")
    try:
        with np.errstate(over="ignore"):
            cast: Array = array.astype(np.float64 if dtype.kind == "f" else dtype).astype(dtype)
        fits = not np.isinf(cast).any() if dtype.kind == "f" else bool((cast == array).all())
    except OverflowError:
        fits = False
    if not fits:
        raise InvalidInputError(f"{field} has values that {datatype} cannot hold.")
    return cast


def _strings(data: list[Any], field: str) -> Array:
    array: Array = np.array(data, dtype=object)
    if array.ndim > MAX_DIMENSIONS:
        raise InvalidInputError(f"{field} is nested deeper than {MAX_DIMENSIONS}.")
    if set(map(type, array.flat)) - {str}:
        odd = next(value for value in array.flat if type(value) is not str)
        raise InvalidInputError(f"{field} must hold strings (BYTES), found {kind_of(odd)}.")
    return array


def _reshaped(array: Array, shape: tuple[int, ...], index: int) -> Array:
    if array.shape == shape:
        return array
    if array.size != math.prod(shape):
        raise InvalidInputError(
            f"inputs[{index}].shape {list(shape)} asks for {math.prod(shape)} values, "
            f"data has {array.size}."
        )
    if array.ndim > 1 and array.size:
        raise InvalidInputError(
            f"inputs[{index}].data is nested as {list(array.shape)}, its shape says {list(shape)}."
        )
    return array.reshape(shape)


def kind_of(value: object) -> str:
    """The JSON name of a decoded value's type, for messages."""
    names = {dict: "an object", list: "a list", str: "a string", bool: "a boolean"}
    if value is None:
        return "null"
    return names.get(type(value), "a number")
