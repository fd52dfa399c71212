"""What a pod knows about itself: the fields of the downward API. Pure."""

from __future__ import annotations

import re
from typing import Any, Final

from rouse.embedded.node.errors import PodSetupError, Reason

__all__ = ["POD_IP", "field_value"]

POD_IP: Final = "127.0.0.1"
"""Replicas are processes of this machine."""

_KEYED = re.compile(r"^metadata\.(labels|annotations)\['([^']+)'\]$")


def field_value(pod: dict[str, Any], path: str) -> str:
    """The value of a ``fieldRef.fieldPath``. Raises PodSetupError for a path that is not one."""
    metadata, spec = pod["metadata"], pod.get("spec", {})
    keyed = _KEYED.match(path)
    if keyed:
        return str((metadata.get(keyed[1]) or {}).get(keyed[2], ""))
    match path:
        case "metadata.labels" | "metadata.annotations":
            values = metadata.get(path.partition(".")[2]) or {}
            return "\n".join(f'{key}="{values[key]}"' for key in sorted(values))
        case "metadata.name" | "metadata.namespace" | "metadata.uid":
            return str(metadata.get(path.partition(".")[2], ""))
        case "spec.nodeName" | "spec.serviceAccountName":
            return str(spec.get(path.partition(".")[2], ""))
        case "status.podIP" | "status.hostIP" | "status.podIPs" | "status.hostIPs":
            return POD_IP
    raise PodSetupError(
        Reason.CONFIG_ERROR,
        f'fieldRef "{path}" is not a field of a pod; use metadata.name, metadata.namespace, '
        "metadata.uid, metadata.labels['KEY'], metadata.annotations['KEY'], spec.nodeName, "
        "spec.serviceAccountName, status.podIP or status.hostIP",
    )
