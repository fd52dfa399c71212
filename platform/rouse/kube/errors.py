"""What the API answered, as an error of `rouse.errors`. Pure."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import httpx
import orjson

from rouse.errors import (
    AlreadyExistsError,
    ApiError,
    ConflictError,
    GoneError,
    NotFoundError,
    RejectedError,
    TooManyRequestsError,
    UnavailableError,
)

__all__ = ["error_of_response", "error_of_status", "error_of_transport"]

_BY_CODE: Mapping[int, type[ApiError]] = {
    404: NotFoundError,
    408: UnavailableError,
    409: ConflictError,
    410: GoneError,
    429: TooManyRequestsError,
}

_NOT_OF_ITS_TYPE = "failed to create typed patch object"
"""What Kubernetes answers, as its own failure, to an applied object that its schema refuses."""


def error_of_status(
    code: int, status: Mapping[str, Any], *, where: str = "", retry_after: float | None = None
) -> ApiError:
    """Map a ``Status`` object, from a response or a watch's ERROR event, to an error.

    ``where`` names the request, for answers without a message; ``retry_after`` is in seconds and
    wins over ``details.retryAfterSeconds``.
    """
    code = int(status.get("code") or code)
    reason = str(status.get("reason") or "")
    message = str(status.get("message") or f"{where}: the API answered {code} {reason}".strip())
    kind = _BY_CODE.get(code, UnavailableError if code >= 500 else RejectedError)
    if code == 409 and reason == "AlreadyExists":
        kind = AlreadyExistsError
    if code == 500 and message.startswith(_NOT_OF_ITS_TYPE):
        kind = RejectedError
    error = kind(message, status=code, reason=reason)
    if isinstance(error, TooManyRequestsError):
        told = (status.get("details") or {}).get("retryAfterSeconds")
        error.retry_after = retry_after or float(told or TooManyRequestsError.retry_after)
    return error


def error_of_response(response: httpx.Response, body: bytes, *, where: str) -> ApiError:
    """Map an answer of 400 or more to an error, with the API's own words where it has some."""
    try:
        status = orjson.loads(body)
    except orjson.JSONDecodeError:
        status = None
    if not isinstance(status, dict) or status.get("kind") != "Status":
        text = body[:200].decode(errors="replace").strip()
        status = {"message": f"{where}: the API answered {response.status_code} {text}".strip()}
    return error_of_status(
        response.status_code, status, where=where, retry_after=_seconds(response.headers)
    )


def error_of_transport(error: httpx.HTTPError, *, where: str, server: str) -> UnavailableError:
    """Map a refused connection, a timeout or a broken stream to an error that may be retried."""
    why = str(error) or type(error).__name__
    message = f"{where}: no answer from the API at {server} ({why})"
    return UnavailableError(message, reason="Unreachable")


def _seconds(headers: httpx.Headers) -> float | None:
    try:
        return max(0.0, float(headers["retry-after"]))
    except (KeyError, ValueError):
        return None
