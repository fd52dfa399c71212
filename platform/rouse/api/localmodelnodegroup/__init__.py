"""LocalModelNodeGroup, serving.kserve.io/v1alpha1: types and validation. It has no defaults."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.findings import read
from rouse.api.localmodelnodegroup.types import LocalModelNodeGroup
from rouse.api.localmodelnodegroup.validation import validate

__all__ = ["LocalModelNodeGroup", "parse", "validate"]


def parse(obj: Object) -> LocalModelNodeGroup:
    """Read a LocalModelNodeGroup.

    Raises ValidationError with every finding about fields and their types; the rules across
    fields are `validate`'s.
    """
    return read(LocalModelNodeGroup, obj)
