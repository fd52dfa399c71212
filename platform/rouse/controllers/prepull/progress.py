"""How far the images of a pool are, by node: from its DaemonSet's pods and the nodes. Pure."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from enum import StrEnum
from typing import Any, Final

from rouse.controllers.prepull.daemonset import container_name

__all__ = ["ImageState", "Progress", "counted", "progress_of"]

_FAILURES: Final = frozenset(
    {
        "CreateContainerError",
        "ErrImageNeverPull",
        "ErrImagePull",
        "ImageInspectError",
        "ImagePullBackOff",
        "InvalidImageName",
        "RegistryUnavailable",
        "RunContainerError",
        "SignatureValidationFailed",
    }
)


_RAN: Final = "CrashLoopBackOff"


class ImageState(StrEnum):
    """How far an image is on a node."""

    PRESENT = "present"
    PULLING = "pulling"
    FAILED = "failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """An image and a node that is to have it."""

    image: str
    node: str
    state: ImageState
    message: str = ""
    """Why it failed, as the kubelet says it."""


def progress_of(
    images: Sequence[str],
    pods: Iterable[Mapping[str, Any]],
    nodes: Mapping[str, Mapping[str, int]],
) -> list[Progress]:
    """Return the state of each image on each node that has a pod of the DaemonSet.

    ``nodes`` are the images of nodes, by name. A kubelet lists fifty, the largest: one that runs in
    a container is there, listed or not. What holds the pod up holds up all that is not there.
    """
    found = []
    for pod in sorted(pods, key=_node_of):
        node = _node_of(pod)
        if not node or pod["metadata"].get("deletionTimestamp"):
            continue
        held = next(filter(None, map(_failure, _statuses(pod, "initContainerStatuses"))), "")
        by_name = {each["name"]: each for each in _statuses(pod, "containerStatuses")}
        for image in images:
            status = by_name.get(container_name(image)) or {}
            state, message = _state(status, image in nodes.get(node, {}), held)
            found.append(Progress(image, node, state, message))
    return found


def counted(images: Sequence[str], progress: Iterable[Progress]) -> dict[str, dict[str, int]]:
    """Return on how many nodes each image is in each state."""
    numbers = Counter((each.image, each.state) for each in progress)
    return {image: {state.value: numbers[image, state] for state in ImageState} for image in images}


def _state(status: Mapping[str, Any], listed: bool, held: str) -> tuple[ImageState, str]:
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    if listed or {"running", "terminated"} & state.keys() or waiting.get("reason") == _RAN:
        return ImageState.PRESENT, ""
    failure = held or _failure(status)
    return (ImageState.FAILED, failure) if failure else (ImageState.PULLING, "")


def _statuses(pod: Mapping[str, Any], kind: str) -> list[Mapping[str, Any]]:
    return (pod.get("status") or {}).get(kind) or []


def _failure(status: Mapping[str, Any]) -> str:
    """Why a container cannot start, as the kubelet says it; empty where it may."""
    waiting = (status.get("state") or {}).get("waiting") or {}
    if waiting.get("reason") not in _FAILURES:
        return ""
    return str(waiting.get("message") or waiting["reason"])


def _node_of(pod: Mapping[str, Any]) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")
