"""The model of a server of the user's own, named by its variable STORAGE_URI, as on KServe."""

from __future__ import annotations

from rouse.api.base import Object, Strings
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.component import main_container
from rouse.compiler.config import Config
from rouse.compiler.storage import attach, storage_of

__all__ = ["attach_own_storage"]


def attach_own_storage(
    isvc: InferenceService, component: ComponentSpec, pod: Object, config: Config
) -> tuple[Object, Strings]:
    """Return the pod with what its server names, and annotations for the webhook that fetches it.

    Raises CompileError for a location that cannot be used.
    """
    storage = storage_of(None, component)
    if storage is None:
        return pod, {}
    given = {**isvc.annotations, **(component.annotations or {})}
    return attach(
        pod, main_container(pod), storage, own_predictor=False, config=config, annotations=given
    )
