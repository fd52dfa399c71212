"""Why a container of this machine waits: what the node says and Knative's revisions pass on."""

from __future__ import annotations

from enum import StrEnum
from typing import Final

__all__ = ["HOPELESS", "Reason"]


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


HOPELESS: Final = frozenset(Reason) - {
    Reason.CREATING,
    Reason.INITIALIZING,
    Reason.CRASH_LOOP,
    Reason.NODE_ERROR,
}
"""Reasons that another attempt of the same pod will not cure by itself."""
