"""Knative Service -> Configuration and Route."""

from __future__ import annotations

from rouse.embedded.knative import names
from rouse.kube.objects import Object, owner_reference

__all__ = ["make_configuration", "make_route"]

_NOT_PASSED_ON = ("kubectl.kubernetes.io/last-applied-configuration", "rouse.dev/applied")


def make_configuration(service: Object) -> Object:
    """The Configuration of a Service: its template."""
    return _child(service, "Configuration") | {"spec": {"template": service["spec"]["template"]}}


def make_route(service: Object) -> Object:
    """The Route of a Service: its traffic, by default all to the latest ready revision."""
    traffic = service["spec"].get("traffic") or [{"latestRevision": True, "percent": 100}]
    name = service["metadata"]["name"]
    targets = [
        target if target.get("revisionName") else {"configurationName": name} | target
        for target in traffic
    ]
    return _child(service, "Route") | {"spec": {"traffic": targets}}


def _child(service: Object, kind: str) -> Object:
    metadata = service["metadata"]
    labels = {
        **(metadata.get("labels") or {}),
        names.SERVICE_LABEL: metadata["name"],
        names.SERVICE_UID_LABEL: metadata["uid"],
    }
    return {
        "apiVersion": "serving.knative.dev/v1",
        "kind": kind,
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": labels,
            "annotations": passed_on(metadata.get("annotations")),
            "ownerReferences": [owner_reference(service)],
        },
    }


def passed_on(annotations: dict[str, str] | None) -> dict[str, str]:
    """The annotations a child inherits: all but those about one object's own writing."""
    return {k: v for k, v in (annotations or {}).items() if k not in _NOT_PASSED_ON}
