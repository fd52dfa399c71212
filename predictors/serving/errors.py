"""What a model server can refuse or fail with, and the HTTP status it answers.

::

    ServingError
    ├── RequestError             answered to the client with `status`
    │   ├── InvalidInputError     400  the body or a tensor is wrong; says which field and why
    │   │   └── MisfitError            a value that the model cannot take
    │   ├── NotFoundError         404  no such path
    │   │   └── ModelNotFoundError     no such model or version
    │   ├── MethodNotAllowedError 405
    │   ├── LoadFailedError       400  the repository has the model, but it could not be loaded
    │   ├── BodyTimeoutError      408  the client stopped sending its body
    │   ├── TooLargeError         413
    │   ├── InferenceError        500  the model itself failed
    │   ├── UnsupportedError      501  the model or server has no such ability
    │   ├── ModelNotReadyError    503
    │   ├── RepositoryError       503  the repository itself cannot be read just now
    │   ├── OverloadedError       503  with Retry-After
    │   └── DeadlineError         504  the answer was not there in the time the client gave
    └── StartupError             the process cannot serve and exits 1
        ├── StorageError          the model's files cannot be had
        └── ModelLoadError        the files are there, the model cannot be made of them

Nothing here knows a web framework; messages never carry a stack trace.
"""

from __future__ import annotations

from collections.abc import Sequence

__all__ = [
    "BodyTimeoutError",
    "DeadlineError",
    "InferenceError",
    "InvalidInputError",
    "LoadFailedError",
    "MethodNotAllowedError",
    "MisfitError",
    "ModelLoadError",
    "ModelNotFoundError",
    "ModelNotReadyError",
    "NotFoundError",
    "OverloadedError",
    "RepositoryError",
    "RequestError",
    "ServingError",
    "StartupError",
    "StorageError",
    "TooLargeError",
    "UnsupportedError",
]


class ServingError(Exception):
    """Base of every error the model server raises on purpose."""


class RequestError(ServingError):
    """A request that is answered with an error; `status` is the HTTP code."""

    status: int = 500

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Headers the answer carries besides the content type."""
        return ()


class InvalidInputError(RequestError):
    """The body, or a tensor in it, is wrong; the same request will be refused again."""

    status = 400


class MisfitError(InvalidInputError):
    """A value that the model cannot take, in V2's words; `of_rows` puts it in V1's.

    `column` is the input it stands in, `row` its place there, where inputs are columns.
    """

    def __init__(self, message: str, what: str, row: int = 0, column: str = "") -> None:
        super().__init__(message)
        self._what = what
        self._row = row
        self._column = column

    def of_rows(self, field: str) -> InvalidInputError:
        """The same, of rows that are objects in the body's `field`."""
        if not self._column:
            return self
        return InvalidInputError(f"{field}[{self._row}].{self._column}: {self._what}")


class NotFoundError(RequestError):
    """The server has no such path."""

    status = 404


class ModelNotFoundError(NotFoundError):
    """The server has no model, or no version of it, of that name."""


class MethodNotAllowedError(RequestError):
    """The path exists, but not for this method."""

    status = 405

    def __init__(self, method: str, path: str, allowed: Sequence[str]) -> None:
        self.allowed = ", ".join(allowed)
        super().__init__(f"Method {method} is not allowed on {path}. Allowed: {self.allowed}.")

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """The methods that are allowed."""
        return (("allow", self.allowed),)


class LoadFailedError(RequestError):
    """A model of the repository could not be loaded; says what its files lack."""

    status = 400


class BodyTimeoutError(RequestError):
    """The client announced a body and stopped sending it."""

    status = 408


class TooLargeError(RequestError):
    """The body is larger than the server takes."""

    status = 413


class InferenceError(RequestError):
    """The model failed on an input that passed every check."""

    status = 500


class UnsupportedError(RequestError):
    """The model, or this server, has no such ability; a retry will not help."""

    status = 501


class ModelNotReadyError(RequestError):
    """The model is still loading."""

    status = 503

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Seconds until a retry makes sense."""
        return (("retry-after", "1"),)


class RepositoryError(RequestError):
    """The model repository cannot be read; what is loaded goes on answering."""

    status = 503


class OverloadedError(RequestError):
    """Too many requests are in flight; a retry after a second can succeed."""

    status = 503

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Seconds until a retry makes sense."""
        return (("retry-after", "1"),)


class DeadlineError(RequestError):
    """The time the client, or this server, gives a request is over."""

    status = 504


class StartupError(ServingError):
    """The process cannot serve: it prints this one line and exits 1."""


class StorageError(StartupError):
    """The model's files are missing, unreadable, or of a scheme that is not supported."""


class ModelLoadError(StartupError):
    """The files are there, but no model could be made of them."""
