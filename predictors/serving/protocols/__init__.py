"""Wire protocols: bytes in, bytes out. They share the data plane and nothing else.

Each has ``decode(model, body, headers) -> InferenceRequest`` and
``encode(model, request, response) -> Encoded``. `headers` need only a ``get`` by lower-case name.
"""

from __future__ import annotations

from base64 import b64encode
from typing import Any, Final, NamedTuple, Protocol

import orjson

from predictors.serving.errors import InferenceError, InvalidInputError, RequestError
from predictors.serving.tensors import text_or_bytes

__all__ = [
    "JSON",
    "OCTETS",
    "Encoded",
    "Headers",
    "UnsupportedMediaTypeError",
    "check_media_type",
    "dumped",
    "parse_object",
]

JSON: Final = "application/json"
OCTETS: Final = "application/octet-stream"
# `curl -d` says a form without being told to, and sends what it is given.
_TAKEN: Final = frozenset({JSON, OCTETS, "application/x-www-form-urlencoded", "text/json"})
_OPTIONS: Final = orjson.OPT_SERIALIZE_NUMPY


class Headers(Protocol):
    """Request headers, names in lower case."""

    def get(self, key: str, /) -> str | None:
        """The value of a header."""


class Encoded(NamedTuple):
    """An answer in bytes; `headers` are those besides the content type."""

    body: bytes
    content_type: str = JSON
    headers: list[tuple[str, str]] = []  # noqa: RUF012 - never changed, and made for no answer


class UnsupportedMediaTypeError(RequestError):
    """The body is of a type this server does not read."""

    status = 415


def check_media_type(content_type: str | None) -> None:
    """Raise `UnsupportedMediaTypeError` unless bodies of that Content-Type are read."""
    if content_type is None or content_type in _TAKEN:
        return
    plain = content_type.partition(";")[0].strip().lower()
    if plain and plain not in _TAKEN and not plain.endswith("+json"):
        raise UnsupportedMediaTypeError(
            f"Content-Type {plain} is not read here; send {JSON}, or {OCTETS} with the header "
            "Inference-Header-Content-Length for binary tensors."
        )


def parse_object(body: bytes | memoryview) -> dict[str, Any]:
    """The JSON object of a request body. Raises `InvalidInputError` saying where it is broken."""
    if not body:
        raise InvalidInputError("The body is empty; a JSON object is expected.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"The body is not valid JSON: {error}.") from None
    if not isinstance(value, dict):
        raise InvalidInputError("The body must be a JSON object.")
    return value


def dumped(answer: object, model: str) -> bytes:
    """The JSON of an answer; bytes that are not UTF-8 become ``{"b64": ...}``.

    Raises `InferenceError` where a model answered with what JSON cannot hold.
    """
    try:
        return orjson.dumps(answer, default=_plain, option=_OPTIONS)
    except TypeError as error:
        raise InferenceError(
            f"Model {model} answered with what JSON cannot hold: {error}."
        ) from None


def _plain(value: object) -> object:
    if isinstance(value, bytes):
        told = text_or_bytes(value)
        if isinstance(told, str):
            return told
        return {"b64": b64encode(value).decode()}
    tolist = getattr(value, "tolist", None)  # numpy's arrays that orjson does not write itself
    if tolist is not None:
        return tolist()
    raise TypeError(f"{type(value).__name__} is not JSON serializable")
