"""The error tree of Rouse. Every error says what happened, where, why, and what to do next.

::

    RouseError
    ├── InvalidError            the input is wrong: a retry will not help
    │   └── ValidationError     ... at these field paths (several at once)
    ├── ConfigError             a setting, kubeconfig or flag is wrong
    ├── ApiError                the Kubernetes API refused or failed (status, reason, message)
    │   ├── NotFoundError       404
    │   ├── ConflictError       409 Conflict: the object changed; read it again and retry
    │   ├── AlreadyExistsError  409 AlreadyExists
    │   ├── GoneError           410: the watch is too old; list again
    │   ├── RejectedError       400, 403, 422: the API will never take this object as it is
    │   ├── TooManyRequestsError 429: retry after a while
    │   └── UnavailableError    5xx, connection refused, timeout: retry helps
    ├── EngineError             the embedded engine could not start, stop or keep a part running
    │   ├── PortInUseError      names the port and its holder
    │   └── ProcessError        a child process failed; carries its last log lines
    └── PredictionError         a predictor answered with an error

Errors of other libraries are mapped to these with ``from``. Domain errors know no web framework.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

__all__ = [
    "AlreadyExistsError",
    "ApiError",
    "ConfigError",
    "ConflictError",
    "EngineError",
    "FieldError",
    "GoneError",
    "InvalidError",
    "NotFoundError",
    "PortInUseError",
    "PredictionError",
    "ProcessError",
    "RejectedError",
    "RouseError",
    "TooManyRequestsError",
    "UnavailableError",
    "ValidationError",
]


class RouseError(Exception):
    """Base of every error Rouse raises on purpose."""

    retryable: bool = False
    """Whether doing the same again later can succeed."""


class InvalidError(RouseError):
    """The input is wrong; the same input will be refused again."""


@dataclass(frozen=True, slots=True)
class FieldError:
    """One finding of a validation: a field path such as ``spec.predictor.minReplicas`` and why."""

    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.path}: {self.message}" if self.path else self.message


class ValidationError(InvalidError):
    """An object breaks the rules of its kind; lists every finding, not only the first."""

    def __init__(self, kind: str, name: str, errors: Sequence[FieldError]) -> None:
        self.kind = kind
        self.name = name
        self.errors = tuple(errors)
        listed = "; ".join(str(error) for error in self.errors)
        super().__init__(f'{kind} "{name}" is invalid: {listed}')


class ConfigError(RouseError):
    """A setting, a kubeconfig or a flag is wrong or missing."""


class ApiError(RouseError):
    """The Kubernetes API refused or failed a request.

    ``status`` is the HTTP code (0 when no answer came), ``reason`` the machine-readable
    ``Status.reason`` of the API.
    """

    def __init__(self, message: str, *, status: int = 0, reason: str = "") -> None:
        super().__init__(message)
        self.message = message
        self.status = status
        self.reason = reason


class NotFoundError(ApiError):
    """404: no such object or resource."""


class ConflictError(ApiError):
    """409 Conflict: the object changed since it was read, or another manager owns the field."""

    retryable = True


class AlreadyExistsError(ApiError):
    """409 AlreadyExists: an object of that name is there."""


class GoneError(ApiError):
    """410: the resourceVersion is too old to watch from; list again."""

    retryable = True


class RejectedError(ApiError):
    """400, 401, 403, 405, 415, 422: the API will not take this request as it is."""


class TooManyRequestsError(ApiError):
    """429: the API asks to slow down; ``retry_after`` is in seconds."""

    retryable = True
    retry_after: float = 1.0


class UnavailableError(ApiError):
    """5xx, refused connection or timeout: the API may be back in a moment."""

    retryable = True


class EngineError(RouseError):
    """The embedded engine could not start, stop, or keep one of its parts running."""


class PortInUseError(EngineError):
    """A port the engine needs is taken; the message names the port and who holds it."""


class ProcessError(EngineError):
    """A child process failed; ``log_tail`` holds its last lines."""

    def __init__(self, message: str, *, log_tail: Sequence[str] = ()) -> None:
        super().__init__(message)
        self.log_tail = tuple(log_tail)


class PredictionError(RouseError):
    """A predictor answered with an error; ``status`` is its HTTP code."""

    def __init__(self, message: str, *, status: int) -> None:
        super().__init__(message)
        self.status = status
        self.retryable = status in (429, 502, 503, 504)
