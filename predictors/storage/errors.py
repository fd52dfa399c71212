"""Which failures of a download are worth another try.

::

    StorageError (predictors.serving.errors)   final: another try fails alike
    ├── TransientError                          another try may succeed
    ├── ChangedError                            the origin's files are others than when listed
    ├── OfflineError                            nobody may ask the origin
    ├── BudgetError                             the cache's budget has no room for the model
    ├── DiskFullError                           the disk has none
    ├── TooLargeError                           an archive unpacks to more than it may
    └── ChecksumError                           the bytes are not those that the origin promised
"""

from __future__ import annotations

from predictors.serving.errors import StorageError

__all__ = [
    "BudgetError",
    "ChangedError",
    "ChecksumError",
    "DiskFullError",
    "OfflineError",
    "TooLargeError",
    "TransientError",
]


class TransientError(StorageError):
    """A timeout, a broken connection, an answer of 429 or 5xx.

    ``after`` is how many seconds the origin asked to be left alone.
    """

    def __init__(self, message: str, after: float = 0.0) -> None:
        super().__init__(message)
        self.after = after


class BudgetError(StorageError):
    """The model needs ``needed`` bytes of a cache that has ``free`` of ``limit`` for it."""

    def __init__(self, needed: int, free: int, limit: int) -> None:
        super().__init__(
            f"{needed} bytes are needed, and the cache has {free} of its {limit} bytes for it. "
            "Give the cache more room, or keep fewer models in it."
        )
        self.needed = needed
        self.free = free
        self.limit = limit


class DiskFullError(StorageError):
    """The disk of a download has no room left."""


class TooLargeError(StorageError):
    """An archive unpacks to more than it may."""


class ChangedError(StorageError):
    """A file was replaced between its listing and its download; what was read is worthless."""


class ChecksumError(StorageError):
    """A file came whole, and is not what it should be."""


class OfflineError(StorageError):
    """The environment forbids to ask the origin; a cached model can be used all the same."""
