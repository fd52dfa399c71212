"""HTTP endpoints that a model adds to the server's own, e.g. ``/openai/v1/completions``."""

from __future__ import annotations

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple

if TYPE_CHECKING:
    from predictors.serving.errors import RequestError

__all__ = ["Described", "HttpAnswer", "HttpRequest", "Route"]


class HttpRequest(NamedTuple):
    """A request with its whole body; header names in lower case, `query` without its mark."""

    method: str
    path: str
    query: str
    headers: Mapping[str, str]
    body: bytes


@dataclass(frozen=True, slots=True)
class HttpAnswer:
    """An answer: all of it as `body`, or sent part by part as `stream` gives it."""

    status: int = 200
    body: bytes = b""
    content_type: str = "application/json"
    headers: Sequence[tuple[str, str]] = ()
    stream: AsyncIterator[bytes] | None = field(default=None)


class Described(NamedTuple):
    """What documentation says of an endpoint to which JSON is posted, or that is only read.

    `request`, `response` and `error` are JSON Schemas; `example` is a body that works. A `request`
    of None is a GET; an `error` of None is the server's own form.
    """

    path: str
    summary: str
    request: Mapping[str, Any] | None
    example: Mapping[str, Any]
    response: Mapping[str, Any]
    error: Mapping[str, Any] | None = None


class Route(NamedTuple):
    """One endpoint; `handle` runs in the event loop and may raise `RequestError`.

    `refuse` puts errors into the endpoint's own form, the server's among them.
    """

    method: str
    path: str
    handle: Callable[[HttpRequest], Awaitable[HttpAnswer]]
    refuse: Callable[[RequestError], HttpAnswer] | None = None
    described: Described | None = None
