"""Errors of the node. A pod that cannot start waits with a reason that kubectl shows.

::

    EngineError
    ├── PodSetupError    the pod cannot start as it is: reason and message go into its status
    └── WarmError        a warm parent could not fork this replica: start it by exec instead
"""

from __future__ import annotations

from enum import StrEnum

from rouse.errors import EngineError

__all__ = ["PodSetupError", "Reason", "WarmError"]


class Reason(StrEnum):
    """Reasons of a waiting container, as ``kubectl get pods`` shows them."""

    CREATING = "ContainerCreating"
    INITIALIZING = "PodInitializing"
    CRASH_LOOP = "CrashLoopBackOff"
    NO_LOCAL_COMMAND = "NoLocalCommand"
    INVALID_COMMAND = "InvalidCommand"
    COMMAND_NOT_FOUND = "CommandNotFound"
    CONFIG_ERROR = "CreateContainerConfigError"
    INVALID_PATH = "InvalidPath"
    INVALID_PROBE = "InvalidProbe"
    VOLUME_NOT_FOUND = "VolumeNotFound"
    VOLUME_NOT_SUPPORTED = "VolumeNotSupported"
    START_ERROR = "StartError"
    NODE_ERROR = "NodeError"


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
