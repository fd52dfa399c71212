"""Codecs of BYTES tensors: text, base64, dates and JSON, one value an element."""

from __future__ import annotations

from base64 import b64decode, b64encode
from binascii import Error
from collections.abc import Sequence
from datetime import datetime
from typing import Any, ClassVar

import orjson

from predictors.serving.codecs.base import InputCodec, as_bytes, column, elements
from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Tensor

__all__ = ["Base64Codec", "DatetimeCodec", "JsonCodec", "StringCodec", "from_base64"]


class StringCodec(InputCodec):
    """A list of `str`."""

    content_type: ClassVar[str] = "str"

    def can_encode(self, value: object) -> bool:
        """Lists of text only."""
        return _all(value, str)

    def decode(self, tensor: Tensor) -> list[str]:
        """The elements, flat. Raises `InvalidInputError` where one is not UTF-8."""
        values = elements(tensor, self.content_type)
        for index, value in enumerate(values):
            if isinstance(value, bytes):
                values[index] = _text(value, f"{tensor.name}[{index}]")
        return values  # type: ignore[return-value]

    def encode(self, name: str, value: Sequence[str]) -> Tensor:
        """One element a string."""
        return Tensor(name, column(value), {"content_type": self.content_type})


class Base64Codec(InputCodec):
    """A list of `bytes`, which travel as base64."""

    content_type: ClassVar[str] = "base64"

    def can_encode(self, value: object) -> bool:
        """Lists of bytes only."""
        return _all(value, bytes)

    def decode(self, tensor: Tensor) -> list[bytes]:
        """The bytes; what came raw and is no text stays. Raises `InvalidInputError`."""
        values = elements(tensor, self.content_type)
        return [
            value if isinstance(value, bytes) else from_base64(value, f"{tensor.name}[{index}]")
            for index, value in enumerate(values)
        ]

    def encode(self, name: str, value: Sequence[bytes]) -> Tensor:
        """One element of base64 text for each."""
        array = column(b64encode(each).decode() for each in value)
        return Tensor(name, array, {"content_type": self.content_type})


class DatetimeCodec(InputCodec):
    """A list of `datetime`, which travel as ISO 8601."""

    content_type: ClassVar[str] = "datetime"

    def can_encode(self, value: object) -> bool:
        """Lists of datetimes only."""
        return _all(value, datetime)

    def decode(self, tensor: Tensor) -> list[datetime]:
        """The times. Raises `InvalidInputError` where one is not ISO 8601."""
        times = []
        for index, value in enumerate(elements(tensor, self.content_type)):
            where = f"{tensor.name}[{index}]"
            text = value if isinstance(value, str) else _text(value, where)
            try:
                times.append(datetime.fromisoformat(text))
            except ValueError:
                raise InvalidInputError(
                    f"{where} is {text[:40]!r}; content type datetime needs ISO 8601, "
                    "e.g. 2026-11-21T10:00:00+00:00."
                ) from None
        return times

    def encode(self, name: str, value: Sequence[datetime]) -> Tensor:
        """One element a time."""
        array = column(each.isoformat() for each in value)
        return Tensor(name, array, {"content_type": self.content_type})


class JsonCodec(InputCodec):
    """A list of what JSON can hold, each element a document."""

    content_type: ClassVar[str] = "json"

    def can_encode(self, value: object) -> bool:
        """Lists of objects or of mixed values; lists of numbers are arrays."""
        return isinstance(value, list) and any(isinstance(each, dict) for each in value)

    def decode(self, tensor: Tensor) -> list[Any]:
        """The documents. Raises `InvalidInputError` saying where one is broken."""
        documents = []
        for index, value in enumerate(elements(tensor, self.content_type)):
            try:
                documents.append(orjson.loads(value))
            except orjson.JSONDecodeError as error:
                raise InvalidInputError(
                    f"{tensor.name}[{index}] is not valid JSON: {error}."
                ) from None
        return documents

    def encode(self, name: str, value: Sequence[Any]) -> Tensor:
        """One element a document."""
        options = orjson.OPT_SERIALIZE_NUMPY | orjson.OPT_NON_STR_KEYS
        array = column(orjson.dumps(each, option=options).decode() for each in value)
        return Tensor(name, array, {"content_type": self.content_type})


def from_base64(value: str | bytes, where: str) -> bytes:
    """The bytes of base64 text. Raises `InvalidInputError` naming `where`."""
    try:
        return b64decode(as_bytes(value), validate=True)
    except (Error, ValueError):
        raise InvalidInputError(f"{where} is not base64.") from None


def _text(value: bytes, where: str) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError as error:
        raise InvalidInputError(f"{where} is not UTF-8 at byte {error.start}.") from None


def _all(value: object, kind: type) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(v, kind) for v in value)
