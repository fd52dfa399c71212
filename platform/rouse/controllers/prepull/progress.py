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
    a container is there, listed or not.
    """
    found = []
    for pod in sorted(pods, key=_node_of):
        node = _node_of(pod)
        if not node or pod["metadata"].get("deletionTimestamp"):
            continue
        statuses: list[Mapping[str, Any]] = (pod.get("status") or {}).get("containerStatuses") or []
        by_name = {each["name"]: each for each in statuses}
        for image in images:
            status = by_name.get(container_name(image)) or {}
            state, message = _state(status, image in nodes.get(node, {}))
            found.append(Progress(image, node, state, message))
    return found


def counted(images: Sequence[str], progress: Iterable[Progress]) -> dict[str, dict[str, int]]:
    """Return on how many nodes each image is in each state."""
    numbers = Counter((each.image, each.state) for each in progress)
    return {image: {state.value: numbers[image, state] for state in ImageState} for image in images}


def _state(status: Mapping[str, Any], listed: bool) -> tuple[ImageState, str]:
    state = status.get("state") or {}
    waiting = state.get("waiting") or {}
    if listed or {"running", "terminated"} & state.keys() or waiting.get("reason") == _RAN:
        return ImageState.PRESENT, ""
    if waiting.get("reason") in _FAILURES:
        return ImageState.FAILED, waiting.get("message") or waiting["reason"]
    return ImageState.PULLING, ""


def _node_of(pod: Mapping[str, Any]) -> str:
    return str((pod.get("spec") or {}).get("nodeName") or "")
