"""Deployment -> Pod."""

from __future__ import annotations

from copy import deepcopy

from rouse.embedded.knative import names
from rouse.kube.objects import Object, owner_reference

__all__ = ["awaits_admission", "make_pod"]

_ASKING = ("internal.serving.kserve.io/", "internal.rouse.dev/")
"""Prefixes of the annotations by which a pod asks for a model or a sidecar."""


def awaits_admission(pod: Object) -> bool:
    """Whether the API may complete the pod, so that it cannot start before it is recorded."""
    return any(key.startswith(_ASKING) for key in pod["metadata"].get("annotations") or ())


def make_pod(deployment: Object, name: str, hashed: str) -> Object:
    """A Pod of the Deployment's template, bound to this machine's node."""
    template = deployment["spec"]["template"]
    meta = template.get("metadata") or {}
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "namespace": deployment["metadata"]["namespace"],
            "labels": {**(meta.get("labels") or {}), names.TEMPLATE_HASH_LABEL: hashed},
            "annotations": dict(meta.get("annotations") or {}),
            "ownerReferences": [owner_reference(deployment)],
        },
        "spec": deepcopy(template["spec"]) | {"nodeName": names.NODE_NAME},
    }
