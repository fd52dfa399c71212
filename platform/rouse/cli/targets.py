"""What the NAME of a command stands for: an InferenceService, or an InferenceGraph as ig/NAME."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rouse.errors import InvalidError

if TYPE_CHECKING:
    from rouse.kube.resources import Resource

__all__ = ["target_of"]

_KINDS = {
    "": "InferenceService",
    "isvc": "InferenceService",
    "inferenceservice": "InferenceService",
    "ig": "InferenceGraph",
    "inferencegraph": "InferenceGraph",
}


def target_of(name: str) -> tuple[Resource, str]:
    """Return the kind and the bare name. Raises InvalidError for a name of another kind."""
    from rouse.kube.resources import INFERENCE_GRAPHS, INFERENCE_SERVICES

    kind, _, bare = name.rpartition("/")
    if kind not in _KINDS or not bare:
        raise InvalidError(f"{name}: write NAME, isvc/NAME or ig/NAME")
    return (INFERENCE_GRAPHS if _KINDS[kind] == "InferenceGraph" else INFERENCE_SERVICES), bare
