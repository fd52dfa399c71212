"""Errors of requests as gRPC status codes, with the messages that REST answers."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from grpc import StatusCode

from predictors.serving.errors import OverloadedError, RequestError

__all__ = ["code_of", "trailers_of"]

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


def code_of(error: RequestError) -> StatusCode:
    """The status code of an error.

    Overload is UNAVAILABLE and not RESOURCE_EXHAUSTED: clients' retry policies repeat the first
    only, and a repetition is what helps.
    """
    known = _CODES.get(error.status)
    if known is not None:
        return known
    return StatusCode.INVALID_ARGUMENT if 400 <= error.status < 500 else StatusCode.INTERNAL


def trailers_of(error: RequestError) -> tuple[tuple[str, str], ...]:
    """What goes with the status: for an overload, the milliseconds a client's policy waits."""
    if isinstance(error, OverloadedError):
        return (("grpc-retry-pushback-ms", "1000"),)
    return ()
