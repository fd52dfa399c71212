"""Whether a model may be served by its twin: for Rouse's own model servers, by a variable."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.inferenceservice.annotations import TWIN
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.merge import merge_pod

__all__ = ["attach_twin"]


def attach_twin(pod: Object, isvc: InferenceService, own: str | None) -> Object:
    """Return the pod with what annotation `TWIN` says to the container ``own``.

    None stands for a server that is not Rouse's, which knows no twins.
    """
    mode = isvc.annotations.get(TWIN)
    if mode is None or own is None:
        return pod
    env = [{"name": "ROUSE_TWIN", "value": mode}]
    return merge_pod(pod, {"containers": [{"name": own, "env": env}]})
