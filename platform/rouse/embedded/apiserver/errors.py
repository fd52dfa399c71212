"""Refusals of the API as Kubernetes ``Status`` objects.

Messages follow the wording of the Kubernetes API server, because kubectl and client libraries
show them to people as they are.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final

from rouse.errors import ApiError, FieldError

__all__ = [
    "ATTEMPTS",
    "MODIFIED",
    "Object",
    "OutpacedError",
    "StatusError",
    "already_exists",
    "bad_request",
    "conflict",
    "expired",
    "failure",
    "forbidden",
    "internal",
    "invalid",
    "method_not_allowed",
    "no_such_resource",
    "not_found",
    "success",
]

Object = dict[str, Any]

ATTEMPTS: Final = 5
"""As on a cluster: how often what another's write has made void is done again on what is there."""
MODIFIED: Final = (
    "the object has been modified; please apply your changes to the latest version and try again"
)


class StatusError(ApiError):
    """A request that ends in an error; :meth:`body` is what the client gets."""

    def __init__(
        self, code: int, reason: str, message: str, *, details: Object | None = None
    ) -> None:
        super().__init__(message, status=code, reason=reason)
        self.details = details or {}

    def body(self) -> Object:
        """The ``Status`` object of this error."""
        return {
            "kind": "Status",
            "apiVersion": "v1",
            "metadata": {},
            "status": "Failure",
            "message": self.message,
            "reason": self.reason,
            "details": self.details,
            "code": self.status,
        }


class OutpacedError(StatusError):
    """While a webhook was asked, somebody else wrote the object: what was computed is void."""


def success(*, name: str = "", group: str = "", kind: str = "", uid: str = "") -> Object:
    """The ``Status`` object of a request that left no object to show."""
    details = {"name": name, "group": group, "kind": kind, "uid": uid}
    return {
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": {key: value for key, value in details.items() if value},
    }


def failure(code: int, reason: str, message: str) -> StatusError:
    """An error that concerns no particular object."""
    return StatusError(code, reason, message)


def bad_request(message: str) -> StatusError:
    """400: the request cannot be understood."""
    return StatusError(400, "BadRequest", message)


def forbidden(group: str, plural: str, name: str, why: str) -> StatusError:
    """403: the rules of the platform forbid this write."""
    message = f'{qualified(plural, group)} "{name}" is forbidden: {why}'
    return StatusError(403, "Forbidden", message, details=_details(group, plural, name))


def no_such_resource() -> StatusError:
    """404: the path names nothing this server has."""
    return StatusError(
        404, "NotFound", "the server could not find the requested resource", details={}
    )


def not_found(group: str, plural: str, name: str) -> StatusError:
    """404: the kind exists, the object does not."""
    message = f'{qualified(plural, group)} "{name}" not found'
    return StatusError(404, "NotFound", message, details=_details(group, plural, name))


def method_not_allowed(message: str) -> StatusError:
    """405: the verb is not offered for this resource."""
    return StatusError(405, "MethodNotAllowed", message)


def already_exists(group: str, plural: str, name: str) -> StatusError:
    """409: create of an object that is there."""
    message = f'{qualified(plural, group)} "{name}" already exists'
    return StatusError(409, "AlreadyExists", message, details=_details(group, plural, name))


def conflict(group: str, plural: str, name: str, why: str) -> StatusError:
    """409: the object changed since the client read it."""
    message = f'Operation cannot be fulfilled on {qualified(plural, group)} "{name}": {why}'
    return StatusError(409, "Conflict", message, details=_details(group, plural, name))


def expired(message: str) -> StatusError:
    """410: the asked resourceVersion is no longer in the history."""
    return StatusError(410, "Expired", message)


def invalid(group: str, kind: str, name: str, causes: Sequence[FieldError]) -> StatusError:
    """422: the object breaks the rules of its kind; every finding is listed."""
    found = [f"{cause.path}: {cause.message}" if cause.path else cause.message for cause in causes]
    listed = found[0] if len(found) == 1 else "[" + ", ".join(found) + "]"
    message = f'{qualified(kind, group)} "{name}" is invalid: {listed}'
    details: Object = {
        **_details(group, kind, name),
        "causes": [
            {"reason": "FieldValueInvalid", "message": cause.message, "field": cause.path}
            for cause in causes
        ],
    }
    return StatusError(422, "Invalid", message, details=details)


def internal(message: str) -> StatusError:
    """500: a failure of this server, told without its insides."""
    return StatusError(500, "InternalError", message)


def qualified(plural: str, group: str) -> str:
    """``deployments.apps`` as kubectl prints it; the core group adds nothing."""
    return f"{plural}.{group}" if group else plural


def _details(group: str, kind: str, name: str) -> Object:
    details = {"name": name, "group": group, "kind": kind}
    return {key: value for key, value in details.items() if value}
