"""The passage from kubectl's client-side apply to server-side apply.

Client-side apply keeps what it last applied in an annotation. As in Kubernetes, fields that this
annotation covers are no conflict for server-side apply by kubectl, and the annotation follows what
kubectl applies, so that one can go back.
"""

from __future__ import annotations

from typing import Any

import orjson

from rouse.embedded.apiserver.managedfields.bare import bare
from rouse.embedded.apiserver.managedfields.fieldset import FieldSet
from rouse.embedded.apiserver.managedfields.walk import field_set
from rouse.embedded.apiserver.schema import Node

__all__ = ["KUBECTL", "covered_fields", "with_last_applied"]

Object = dict[str, Any]

KUBECTL = "kubectl"
_ANNOTATION = "kubectl.kubernetes.io/last-applied-configuration"


def _annotation(live: Object | None) -> str:
    annotations = ((live or {}).get("metadata") or {}).get("annotations") or {}
    return str(annotations.get(_ANNOTATION, ""))


def covered_fields(live: Object | None, node: Node) -> FieldSet:
    """What client-side apply set, the empty set when the object was never so applied."""
    try:
        applied = orjson.loads(_annotation(live))
    except orjson.JSONDecodeError:
        return {}
    return field_set(bare(applied), node) if isinstance(applied, dict) else {}


def with_last_applied(merged: Object, live: Object | None, applied: Object) -> Object:
    """The merged object with its annotation, if it has one, brought up to date."""
    if not _annotation(live):
        return merged
    text = orjson.dumps(applied, option=orjson.OPT_SORT_KEYS | orjson.OPT_APPEND_NEWLINE).decode()
    metadata = merged["metadata"]
    if _ANNOTATION not in metadata.get("annotations", {}):
        return merged
    annotations = {**metadata["annotations"], _ANNOTATION: text}
    return {**merged, "metadata": {**metadata, "annotations": annotations}}
