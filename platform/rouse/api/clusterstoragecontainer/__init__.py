"""ClusterStorageContainer, serving.kserve.io/v1alpha1: types, defaults, validation.

It has no lifecycle: the object is a setting and has no status.
"""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.clusterstoragecontainer.defaults import default
from rouse.api.clusterstoragecontainer.types import ClusterStorageContainer
from rouse.api.clusterstoragecontainer.validation import validate
from rouse.api.findings import read

__all__ = ["ClusterStorageContainer", "default", "parse", "validate"]


def parse(obj: Object) -> ClusterStorageContainer:
    """Read a ClusterStorageContainer.

    Raises ValidationError with every finding about fields and their types; the rules across
    fields are `validate`'s.
    """
    return read(ClusterStorageContainer, obj)
