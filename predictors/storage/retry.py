"""Another try after what may pass: bounded, with growing waits and jitter."""

from __future__ import annotations

import random
import threading
from collections.abc import Callable
from typing import Final, TypeVar

from predictors.serving.errors import StorageError
from predictors.storage.errors import TransientError
from predictors.storage.settings import TransferSettings

__all__ = ["retried", "wait_before"]

_Result = TypeVar("_Result")
_LONGEST_WAIT: Final = 30.0


def retried(
    work: Callable[[], _Result],
    settings: TransferSettings,
    stop: threading.Event | None = None,
) -> _Result:
    """What ``work`` returns, tried again after a `TransientError`.

    The last one is raised as it is, with the number of tries added. A set ``stop`` ends the tries.
    """
    stop = stop or threading.Event()
    for attempt in range(1, settings.attempts + 1):
        try:
            return work()
        except TransientError as error:
            waited = attempt < settings.attempts and not stop.wait(
                wait_before(attempt, error.after, settings.backoff_seconds)
            )
            if not waited:
                tries = "1 attempt" if attempt == 1 else f"{attempt} attempts"
                raise TransientError(f"{error} ({tries})") from error
    raise StorageError("a download was stopped.")


def wait_before(attempt: int, asked: float, backoff: float) -> float:
    """Seconds to wait after the failed try number ``attempt`` (from 1): jittered by a half."""
    wait: float = backoff * 2 ** (attempt - 1) * (0.5 + random.random())
    return min(max(wait, asked), _LONGEST_WAIT)
