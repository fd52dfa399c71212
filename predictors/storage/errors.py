"""Which failures of a download are worth another try.

::

    StorageError (predictors.serving.errors)   final: another try fails alike
    ├── TransientError                          another try may succeed
    ├── ChangedError                            the origin's files are others than when listed
    ├── OfflineError                            nobody may ask the origin
    └── ChecksumError                           the bytes are not those that the origin promised
"""

from __future__ import annotations

from predictors.serving.errors import StorageError

__all__ = ["ChangedError", "ChecksumError", "OfflineError", "TransientError"]


class TransientError(StorageError):
    """A timeout, a broken connection, an answer of 429 or 5xx.

    ``after`` is how many seconds the origin asked to be left alone.
    """

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class ChangedError(StorageError):
    """A file was replaced between its listing and its download; what was read is worthless."""


class ChecksumError(StorageError):
    """A file came whole, and is not what it should be."""


class OfflineError(StorageError):
    """The environment forbids to ask the origin; a cached model can be used all the same."""
