"""What goes wrong between a transformer and its predictor, as the client is told.

::

    RequestError
    ├── PredictorError      the predictor's own status, with its message and name
    ├── UnreachableError    502  no connection, or no HTTP answer
    └── predictors' DeadlineError (504), OverloadedError (503)
"""

from __future__ import annotations

from collections.abc import Sequence

from predictors.serving.errors import RequestError

__all__ = ["PredictorError", "UnreachableError"]


class PredictorError(RequestError):
    """The predictor refused or failed; its status is kept, and when it wants to be asked again."""

    def __init__(self, message: str, status: int, retry_after: str | None = None) -> None:
        super().__init__(message)
        self.status = status
        self._retry_after = retry_after

    @property
    def headers(self) -> Sequence[tuple[str, str]]:
        """Seconds until a retry makes sense, if the predictor said so."""
        return (("retry-after", self._retry_after),) if self._retry_after else ()


class UnreachableError(RequestError):
    """The predictor could not be asked, or did not answer as one."""

    status = 502
