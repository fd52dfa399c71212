"""Why an InferenceService cannot be compiled.

::

    InvalidError
    └── CompileError    reason is one of KServe's lastFailureInfo; the message says what to do
"""

from __future__ import annotations

from rouse.errors import InvalidError

__all__ = ["CompileError"]


class CompileError(InvalidError):
    """The spec names something that is not there or does not fit; it stays so until one changes."""

    def __init__(self, reason: str, message: str) -> None:
        super().__init__(message)
        self.reason = reason
        self.message = message
