"""Requests and responses as the core sees them, whatever server or client carries them."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field
from urllib.parse import parse_qsl

import orjson

from rouse.embedded.apiserver.errors import Object, bad_request

__all__ = ["JSON", "Request", "Response", "StreamResponse", "json_response", "query_of"]

JSON = "application/json"
_TRUE = frozenset({"1", "t", "T", "true", "TRUE", "True"})
_FALSE = frozenset({"", "0", "f", "F", "false", "FALSE", "False"})


@dataclass(slots=True)
class Request:
    """One request; header names are lower case, the body is complete."""

    method: str
    path: str
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: bytes = b""

    def flag(self, name: str) -> bool:
        """A boolean query parameter; absent is False, nonsense a 400."""
        value = self.query.get(name, "")
        if value in _TRUE:
            return True
        if value in _FALSE:
            return False
        raise bad_request(f"query parameter {name}={value!r} is not a boolean")

    def number(self, name: str) -> int | None:
        """An integer query parameter of at least 0."""
        value = self.query.get(name, "")
        if not value:
            return None
        if not value.isascii() or not value.isdigit() or len(value) > 18:
            raise bad_request(f"query parameter {name}={value!r} is not a number of at least 0")
        return int(value)


@dataclass(slots=True)
class Response:
    """A complete answer."""

    status: int
    body: bytes
    content_type: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)


@dataclass(slots=True)
class StreamResponse:
    """An answer that goes on; closing ``chunks`` (aclose) ends what feeds it."""

    chunks: AsyncIterator[bytes]
    status: int = 200
    content_type: str = JSON
    headers: list[tuple[str, str]] = field(default_factory=list)


def json_response(body: Object, status: int = 200, content_type: str = JSON) -> Response:
    """An object as the answer."""
    return Response(status, orjson.dumps(body), content_type)


def query_of(text: str) -> dict[str, str]:
    """A query string as a mapping; the first of repeated names counts."""
    if not text:
        return {}
    found: dict[str, str] = {}
    for name, value in parse_qsl(text, keep_blank_values=True):
        found.setdefault(name, value)
    return found
