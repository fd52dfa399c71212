"""The kinds every server knows, in as much detail as merging and ``kubectl explain`` need.

Their fields are described in our own words; fields that are not described are kept. A kind
without an entry allows everything and still has the metadata every object has.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from rouse.embedded.apiserver.schema.builtin.admission import ADMISSION_DEFINITIONS
from rouse.embedded.apiserver.schema.builtin.core import CORE_DEFINITIONS
from rouse.embedded.apiserver.schema.builtin.knative import KNATIVE_DEFINITIONS, KNATIVE_GROUP
from rouse.embedded.apiserver.schema.builtin.meta import META_DEFINITIONS
from rouse.embedded.apiserver.schema.builtin.pods import POD_DEFINITIONS
from rouse.embedded.apiserver.schema.builtin.workloads import WORKLOAD_DEFINITIONS

__all__ = ["builtin_definition_name", "builtin_definitions"]

_DEFINITIONS: Mapping[str, dict[str, Any]] = {
    **META_DEFINITIONS,
    **POD_DEFINITIONS,
    **CORE_DEFINITIONS,
    **WORKLOAD_DEFINITIONS,
    **KNATIVE_DEFINITIONS,
    **ADMISSION_DEFINITIONS,
}
_BY_KIND = {
    (name.split(".")[3], name.rsplit(".", 1)[1]): name
    for name in _DEFINITIONS
    if name.startswith("io.k8s.api.")
}
_KNATIVE = {name.rsplit(".", 1)[1]: name for name in KNATIVE_DEFINITIONS}


def builtin_definitions() -> Mapping[str, dict[str, Any]]:
    """Every definition by its OpenAPI name, such as ``io.k8s.api.core.v1.Pod``."""
    return _DEFINITIONS


def builtin_definition_name(group: str, kind: str) -> str:
    """The definition of a built-in kind, or an empty text."""
    if group == KNATIVE_GROUP:
        return _KNATIVE.get(kind, "")
    head, dot, rest = (group or "core").partition(".")
    return _BY_KIND.get((head, kind), "") if not dot or rest == "k8s.io" else ""
