"""Protobuf's wire format, read by tables of fields.

A table maps field numbers to :class:`Field`. Kubernetes always writes fields that are no pointers,
so their zero values mean "not set"; pointers are written only when set. A field a table does not
know is an error: dropping it would lose what the user said.
"""

from __future__ import annotations

import base64
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

__all__ = ["Field", "Message", "UnknownFieldError", "WireError", "fields", "read"]

Shape = Literal["one", "list", "map"]


class WireError(ValueError):
    """The bytes are not a message."""


class UnknownFieldError(WireError):
    """The message holds a field that is not in its table."""


@dataclass(frozen=True, slots=True)
class Field:
    """``type`` is a scalar's name or a message's; ``pointer`` keeps zero values."""

    name: str
    type: str
    shape: Shape = "one"
    pointer: bool = False


Message = Mapping[int, Field]


def read(data: bytes, name: str, messages: Mapping[str, Message]) -> dict[str, Any]:
    """The message called ``name`` as plain values, zero values of non-pointers left out."""
    table = messages[name]
    out: dict[str, Any] = {}
    for number, value in fields(data):
        field = table.get(number)
        if field is None:
            raise UnknownFieldError(f"field {number} of {name} is not known")
        if field.shape == "map":
            key, item = _entry(value, field.type, messages)
            out.setdefault(field.name, {})[key] = item
            continue
        plain = _plain(value, field.type, messages)
        if field.shape == "list":
            out.setdefault(field.name, []).append(plain)
        elif field.pointer or plain not in _ZERO:
            out[field.name] = plain
    return out


_ZERO: tuple[Any, ...] = ("", 0, False, {}, None)


def _entry(value: int | bytes, kind: str, messages: Mapping[str, Message]) -> tuple[str, Any]:
    key, item = "", None
    for number, part in fields(_bytes(value)):
        if number == 1:
            key = _text(part)
        else:
            item = _plain(part, kind, messages)
    return key, "" if item is None else item


def _plain(value: int | bytes, kind: str, messages: Mapping[str, Message]) -> Any:
    scalar = _SCALARS.get(kind)
    return scalar(value) if scalar else read(_bytes(value), kind, messages)


def fields(data: bytes) -> Iterator[tuple[int, int | bytes]]:
    """(field number, number or bytes) in the order they are written."""
    at = 0
    while at < len(data):
        tag, at = _varint(data, at)
        wire = tag & 7
        if wire == 0:
            number, at = _varint(data, at)
            yield tag >> 3, number
        elif wire == 2:
            length, at = _varint(data, at)
            if at + length > len(data):
                raise WireError("the message is cut off")
            yield tag >> 3, data[at : at + length]
            at += length
        else:
            raise WireError(f"wire type {wire} is not used by Kubernetes")


def _varint(data: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        if at >= len(data) or shift > 63:
            raise WireError("the message is cut off")
        byte = data[at]
        value |= (byte & 0x7F) << shift
        at += 1
        if byte < 0x80:
            return value, at
        shift += 7


def _bytes(value: int | bytes) -> bytes:
    if isinstance(value, int):
        raise WireError("a number stands where a message belongs")
    return value


def _text(value: int | bytes) -> str:
    try:
        return _bytes(value).decode()
    except UnicodeDecodeError as error:
        raise WireError(str(error)) from error


def _number(value: int | bytes) -> int:
    if isinstance(value, bytes):
        raise WireError("a message stands where a number belongs")
    return value - (1 << 64) if value >= 1 << 63 else value


def _time(value: int | bytes) -> str | None:
    parts = dict(fields(_bytes(value)))
    seconds = _number(parts.get(1, 0))
    if not seconds:
        return None
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def _quantity(value: int | bytes) -> str:
    return _text(dict(fields(_bytes(value))).get(1, b""))


def _int_or_text(value: int | bytes) -> int | str:
    parts = dict(fields(_bytes(value)))
    return _text(parts.get(3, b"")) if parts.get(1) else _number(parts.get(2, 0))


_SCALARS: Mapping[str, Callable[[int | bytes], Any]] = {
    "string": _text,
    "int": _number,
    "bool": lambda value: bool(_number(value)),
    "bytes": lambda value: base64.b64encode(_bytes(value)).decode(),
    "time": _time,
    "quantity": _quantity,
    "int-or-string": _int_or_text,
}
