"""Errors of requests as gRPC status codes, with the messages that REST answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from grpc import StatusCode

from predictors.serving.errors import OverloadedError, RequestError

__all__ = ["RETRY_PUSHBACK", "code_of", "status_of", "trailers_of"]

_CODES: Final[Mapping[int, StatusCode]] = {
    400: StatusCode.INVALID_ARGUMENT,
    404: StatusCode.NOT_FOUND,
    405: StatusCode.UNIMPLEMENTED,
    408: StatusCode.DEADLINE_EXCEEDED,
    409: StatusCode.ABORTED,
    413: StatusCode.RESOURCE_EXHAUSTED,
    429: StatusCode.RESOURCE_EXHAUSTED,
    501: StatusCode.UNIMPLEMENTED,
    503: StatusCode.UNAVAILABLE,
    504: StatusCode.DEADLINE_EXCEEDED,
}

_STATUSES: Final[Mapping[StatusCode, int]] = {
    StatusCode.CANCELLED: 499,
    StatusCode.INVALID_ARGUMENT: 400,
    StatusCode.FAILED_PRECONDITION: 400,
    StatusCode.OUT_OF_RANGE: 400,
    StatusCode.UNAUTHENTICATED: 401,
    StatusCode.PERMISSION_DENIED: 403,
    StatusCode.NOT_FOUND: 404,
    StatusCode.ABORTED: 409,
    StatusCode.ALREADY_EXISTS: 409,
    StatusCode.RESOURCE_EXHAUSTED: 429,
    StatusCode.UNIMPLEMENTED: 501,
    StatusCode.UNAVAILABLE: 503,
    StatusCode.DEADLINE_EXCEEDED: 504,
}
RETRY_PUSHBACK: Final = "grpc-retry-pushback-ms"
"""The trailer that says how long a client shall wait before it asks again."""


def code_of(error: RequestError) -> StatusCode:
    """The status code of an error.

    Overload is UNAVAILABLE and not RESOURCE_EXHAUSTED: clients' retry policies repeat the first
    only, and a repetition is what helps.
    """
    known = _CODES.get(error.status)
    if known is not None:
        return known
    return StatusCode.INVALID_ARGUMENT if 400 <= error.status < 500 else StatusCode.INTERNAL


def status_of(code: StatusCode) -> int:
    """The HTTP status that means what a server's status code does; 500 for its own failures."""
    return _STATUSES.get(code, 500)


def trailers_of(error: RequestError) -> tuple[tuple[str, str], ...]:
    """What goes with the status: for an overload, the milliseconds a client's policy waits."""
    if isinstance(error, OverloadedError):
        return ((RETRY_PUSHBACK, "1000"),)
    return ()
