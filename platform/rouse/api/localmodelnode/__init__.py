"""LocalModelNode, serving.kserve.io/v1alpha1: types and validation. It has no defaults.

The object is written by programs: the controller lists a node's models in it, the node's agent
says how far each download is. `rouse.api.localmodelcache.lifecycle` reads those states.
"""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.findings import read
from rouse.api.localmodelnode.types import LocalModelNode
from rouse.api.localmodelnode.validation import validate

__all__ = ["LocalModelNode", "parse", "validate"]


def parse(obj: Object) -> LocalModelNode:
    """Read a LocalModelNode.

    Raises ValidationError with every finding about fields and their types; the rules across
    fields are `validate`'s.
    """
    return read(LocalModelNode, obj)
