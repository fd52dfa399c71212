"""InferenceGraph, serving.kserve.io/v1alpha1: types, defaults, validation, lifecycle."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.findings import read
from rouse.api.inferencegraph.defaults import default
from rouse.api.inferencegraph.types import InferenceGraph
from rouse.api.inferencegraph.validation import validate

__all__ = ["InferenceGraph", "default", "parse", "validate"]


def parse(obj: Object) -> InferenceGraph:
    """Read an InferenceGraph.

    Raises ValidationError with every finding about fields and their types; the rules across
    fields are `validate`'s.
    """
    return read(InferenceGraph, obj)
