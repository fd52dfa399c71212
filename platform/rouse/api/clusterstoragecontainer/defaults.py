"""What a ClusterStorageContainer means where it does not say."""

from __future__ import annotations

from rouse.api.clusterstoragecontainer.types import ClusterStorageContainer

__all__ = ["default"]


def default(storage: ClusterStorageContainer) -> ClusterStorageContainer:
    """Return the object with everything it leaves open filled in; the argument stays as it is.

    Applying it again changes nothing.
    """
    spec = storage.spec
    filled = spec.model_copy(
        update={
            "workload_type": spec.workload_type or "initContainer",
            "supports_multi_model_download": bool(spec.supports_multi_model_download),
        }
    )
    return storage.model_copy(update={"spec": filled, "disabled": bool(storage.disabled)})
