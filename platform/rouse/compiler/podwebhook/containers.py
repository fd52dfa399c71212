"""Finding containers of a pod, and what all injected ones have."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.defaults import MAIN_CONTAINER

__all__ = ["HARDENED", "annotations_of", "find", "main_container"]

_WORKER_CONTAINER = "worker-container"

HARDENED: Object = {
    "allowPrivilegeEscalation": False,
    "capabilities": {"drop": ["ALL"]},
    "seccompProfile": {"type": "RuntimeDefault"},
}
"""A securityContext that asks for nothing; fit for the Pod Security Standard "restricted"."""


def annotations_of(pod: Object) -> Strings:
    """The annotations of a pod, never None."""
    found: Strings = pod["metadata"].get("annotations") or {}
    return found


def find(containers: Iterable[Any] | None, name: str) -> Object | None:
    """The container of that name."""
    return next((each for each in containers or () if each["name"] == name), None)


def main_container(pod: Object) -> Object | None:
    """The container that serves; in a group of several nodes, the one that works with it."""
    containers = pod["spec"].get("containers")
    return find(containers, MAIN_CONTAINER) or find(containers, _WORKER_CONTAINER)
