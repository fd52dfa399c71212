"""OpenAPI 2 documents as protobuf, the ``Document`` message of gnostic's openapi.v2 package.

Only the messages and fields our documents have are written; the numbers are those of its
``OpenAPIv2.proto``. Extensions, enums and defaults travel as YAML text, for which JSON serves.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from rouse.embedded.protobuf import block, text, varint

__all__ = ["encode_document"]

Raw = Mapping[str, Any]

_SCHEMA_TEXTS = {"$ref": 1, "format": 2, "title": 3, "description": 4, "pattern": 13}
_SCHEMA_NUMBERS = {"multipleOf": 6, "maximum": 7, "minimum": 9}
_SCHEMA_COUNTS = {
    "maxLength": 11,
    "minLength": 12,
    "maxItems": 14,
    "minItems": 15,
    "uniqueItems": 16,
    "maxProperties": 17,
    "minProperties": 18,
}
_METHODS = {"get": 2, "put": 3, "post": 4, "delete": 5, "patch": 8}


def encode_document(document: Raw) -> bytes:
    """The message of a whole document."""
    paths = b"".join(
        block(2, _named(name, _path_item(item))) for name, item in document["paths"].items()
    )
    definitions = b"".join(
        block(1, _named(name, _schema(each))) for name, each in document["definitions"].items()
    )
    info = text(1, document["info"]["title"]) + text(2, document["info"]["version"])
    return text(1, document["swagger"]) + block(2, info) + block(8, paths) + block(9, definitions)


def _texts(field: int, texts: Iterable[str]) -> bytes:
    return b"".join(text(field, each) for each in texts)


def _count(field: int, value: int) -> bytes:
    return varint(field << 3) + varint(value)


def _double(field: int, value: float) -> bytes:
    return varint(field << 3 | 1) + struct.pack("<d", value)


def _named(name: str, body: bytes) -> bytes:
    return text(1, name) + block(2, body)


def _any(value: Any) -> bytes:
    return text(2, orjson.dumps(value).decode())


def _extensions(field: int, raw: Raw) -> bytes:
    return b"".join(
        block(field, _named(name, _any(value)))
        for name, value in raw.items()
        if name.startswith("x-")
    )


def _path_item(item: Raw) -> bytes:
    return b"".join(
        block(field, _operation(item[method]))
        for method, field in _METHODS.items()
        if method in item
    )


def _operation(operation: Raw) -> bytes:
    parameters = b"".join(block(8, _parameter(each)) for each in operation["parameters"])
    responses = b"".join(
        block(1, _named(code, _response(each))) for code, each in operation["responses"].items()
    )
    return (
        text(5, operation["operationId"])
        + _texts(6, operation["produces"])
        + _texts(7, operation["consumes"])
        + parameters
        + block(9, responses)
        + _extensions(13, operation)
    )


def _parameter(raw: Raw) -> bytes:
    """A ParametersItem: its alternative ``parameter``, of a body, the query or the path."""
    if raw["in"] == "body":
        body = text(2, raw["name"]) + text(3, "body") + _count(4, 1)
        return block(1, block(1, body + block(5, _schema(raw["schema"]))))
    common = text(2, raw["in"]) + text(3, raw["description"]) + text(4, raw["name"])
    if raw["in"] == "path":
        made = block(4, _count(1, 1) + common + text(5, raw["type"]))
    else:
        made = block(3, common + text(6, raw["type"]))
    return block(1, block(2, made))


def _response(raw: Raw) -> bytes:
    """A ResponseValue: its alternative ``response``."""
    body = text(1, raw["description"])
    if "schema" in raw:
        body += block(2, block(1, _schema(raw["schema"])))
    return block(1, body)


def _schema(raw: Raw) -> bytes:
    out = bytearray()
    for name, field in _SCHEMA_TEXTS.items():
        if name in raw:
            out += text(field, raw[name])
    for name, field in _SCHEMA_NUMBERS.items():
        if name in raw:
            out += _double(field, raw[name])
    for name, field in _SCHEMA_COUNTS.items():
        if name in raw:
            out += _count(field, int(raw[name]))
    out += _texts(19, raw.get("required", ()))
    for value in raw.get("enum", ()):
        out += block(20, _any(value))
    if "additionalProperties" in raw:
        out += block(21, block(1, _schema(raw["additionalProperties"])))
    if "type" in raw:
        out += block(22, text(1, raw["type"]))
    if "items" in raw:
        out += block(23, block(1, _schema(raw["items"])))
    if "properties" in raw:
        named = (_named(name, _schema(each)) for name, each in raw["properties"].items())
        out += block(25, b"".join(block(1, each) for each in named))
    return bytes(out) + _extensions(31, raw)
