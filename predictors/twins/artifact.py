"""A twin's file: a JSON description and its arrays, in the layout of safetensors.

``<u64 length><JSON header><bytes of the arrays>``. Nothing in it can run code; a header that does
not fit the bytes, or bytes that are not those that were written, make it unreadable.
"""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

import numpy as np
import orjson

from predictors.serving.tensors import Array

__all__ = ["BadTwinError", "Operation", "packed", "unpacked"]

_NAMES: Final = {"<f8": "F64", "<f4": "F32", "<i8": "I64", "|b1": "BOOL"}
_DTYPES: Final = {name: np.dtype(text) for text, name in _NAMES.items()}
_REF: Final = "@array"
_LABELS: Final = "@labels"


class BadTwinError(Exception):
    """The bytes are no twin, or not those that were written."""


class Operation(NamedTuple):
    """One step of a twin's arithmetic: its name, and its parameters: arrays, numbers, steps."""

    name: str
    parameters: Mapping[str, Any]


def packed(description: Mapping[str, Any]) -> bytes:
    """The file of a description, which may hold operations and arrays at any depth."""
    arrays: list[Array] = []
    text = orjson.dumps(_told(description, arrays)).decode()
    header: dict[str, Any] = {}
    parts: list[bytes] = []
    offset = 0
    for index, array in enumerate(arrays):
        data = array.tobytes()
        span = [offset, offset + len(data)]
        kind = _NAMES[array.dtype.str]
        header[str(index)] = {"dtype": kind, "shape": list(array.shape), "data_offsets": span}
        parts.append(data)
        offset += len(data)
    body = b"".join(parts)
    header["__metadata__"] = {"twin": text, "sha256": _checksum(text, body)}
    head = orjson.dumps(header)
    head += b" " * (-len(head) % 8)  # aligned arrays are read without a copy
    return len(head).to_bytes(8, "little") + head + body


def unpacked(file: Path) -> Any:
    """The description in `file`, its arrays read-only. Raises `BadTwinError`, `OSError`."""
    data = file.read_bytes()
    try:
        size = int.from_bytes(data[:8], "little")
        header = orjson.loads(data[8 : 8 + size])
        body = memoryview(data)[8 + size :]
        told = header.pop("__metadata__")
        if told["sha256"] != _checksum(told["twin"], body):
            raise BadTwinError("its checksum does not fit its content")
        arrays = {f"{name}": _array(entry, body) for name, entry in header.items()}
        return _read(orjson.loads(told["twin"]), arrays)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        raise BadTwinError(f"it is damaged ({type(error).__name__}: {error})") from error


def _checksum(text: str, body: bytes | memoryview) -> str:
    digest = hashlib.sha256(text.encode())
    digest.update(body)
    return digest.hexdigest()


def _array(entry: Mapping[str, Any], body: memoryview) -> Array:
    begin, end = entry["data_offsets"]
    shape = tuple(entry["shape"])
    dtype = _DTYPES[entry["dtype"]]
    if not 0 <= begin <= end <= len(body) or end - begin != math.prod(shape) * dtype.itemsize:
        raise ValueError("an array lies outside the file")
    flat: Array = np.frombuffer(body[begin:end], dtype=dtype)
    return flat.reshape(shape)


def _told(value: Any, arrays: list[Array]) -> Any:
    if isinstance(value, Operation):
        return {"op": value.name, **_told(value.parameters, arrays)}
    if isinstance(value, np.ndarray):
        if value.dtype.kind in "OUS":
            return {_LABELS: value.tolist(), "dtype": value.dtype.str}
        arrays.append(_plain(value))
        return {_REF: str(len(arrays) - 1)}
    if isinstance(value, np.generic):
        return value.item()
    if isinstance(value, Mapping):
        return {str(key): _told(each, arrays) for key, each in value.items()}
    if isinstance(value, Sequence) and not isinstance(value, str | bytes):
        return [_told(each, arrays) for each in value]
    return value


def _plain(array: Array) -> Array:
    """The array with a dtype and an order that the file knows. Raises `TypeError` for others."""
    wide = {"i": "<i8", "u": "<i8", "b": "|b1"}.get(array.dtype.kind, array.dtype.str)
    if wide not in _NAMES:
        raise TypeError(f"arrays of {array.dtype} are not kept")
    return np.ascontiguousarray(array.astype(wide, copy=False)).reshape(array.shape)


def _read(value: Any, arrays: Mapping[str, Array]) -> Any:
    if isinstance(value, list):
        return [_read(each, arrays) for each in value]
    if not isinstance(value, dict):
        return value
    if _REF in value:
        return arrays[value[_REF]]
    if _LABELS in value:
        return np.array(value[_LABELS], dtype=value["dtype"])
    read = {key: _read(each, arrays) for key, each in value.items()}
    name = read.pop("op", None)
    return read if name is None else Operation(name, read)
