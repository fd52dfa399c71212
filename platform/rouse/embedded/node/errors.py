"""Errors of the node. A pod that cannot start waits with a reason that kubectl shows.

::

    EngineError
    ├── PodSetupError    the pod cannot start as it is: reason and message go into its status
    └── WarmError        a warm parent could not fork this replica: start it by exec instead
"""

from __future__ import annotations

from rouse.embedded.reasons import Reason
from rouse.errors import EngineError

__all__ = ["PodSetupError", "Reason", "WarmError"]


class PodSetupError(EngineError):
    """A container cannot be started; ``reason`` is the CamelCase word of its waiting state."""

    retryable = True

    def __init__(self, reason: Reason, message: str) -> None:
        super().__init__(f"{reason}: {message}")
        self.reason = reason
        self.message = message


class WarmError(EngineError):
    """A warm parent is not there, is dead, or did not answer in time."""

    retryable = True
