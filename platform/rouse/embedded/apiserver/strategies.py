"""What the API fills in for particular built-in kinds before an object is stored."""

from __future__ import annotations

import base64
from collections.abc import Callable, Mapping

from rouse.embedded.apiserver.crds import complete_definition
from rouse.embedded.apiserver.errors import Object, bad_request

__all__ = ["complete"]


def complete(bucket: str, obj: Object, old: Object | None, now: str) -> None:
    """Fill in, in place, what this kind's users may leave out; 400 for what cannot be."""
    step = _STEPS.get(bucket)
    if step is not None:
        step(obj, old, now)


def _section(obj: Object, name: str) -> Object:
    """A part that is an object, made when absent."""
    section = obj.get(name)
    if section is None:
        section = obj[name] = {}
    if not isinstance(section, dict):
        raise bad_request(f"{name} must be an object")
    return section


def _namespace(obj: Object, old: Object | None, now: str) -> None:
    labels = obj["metadata"].get("labels") or {}
    obj["metadata"]["labels"] = {**labels, "kubernetes.io/metadata.name": obj["metadata"]["name"]}
    if old is None:
        obj["spec"] = {"finalizers": ["kubernetes"]}
        obj["status"] = {"phase": "Active"}
    else:
        obj["spec"] = old.get("spec", {})


def _pod(obj: Object, old: Object | None, now: str) -> None:
    spec = _section(obj, "spec")
    spec.setdefault("restartPolicy", "Always")
    spec.setdefault("terminationGracePeriodSeconds", 30)
    if old is None:
        obj["status"] = {"phase": "Pending"}


def _service(obj: Object, old: Object | None, now: str) -> None:
    spec = _section(obj, "spec")
    kind = spec.setdefault("type", "ClusterIP")
    spec.setdefault("sessionAffinity", "None")
    if old is None:
        obj["status"] = {"loadBalancer": {}}
    if kind == "ExternalName":
        return
    for port in spec.get("ports") or ():
        if isinstance(port, dict):
            port.setdefault("protocol", "TCP")
            if "port" in port:
                port.setdefault("targetPort", port["port"])


def _secret(obj: Object, old: Object | None, now: str) -> None:
    obj.setdefault("type", "Opaque")
    plain = obj.pop("stringData", None)
    if isinstance(plain, dict) and plain:
        coded = {key: base64.b64encode(str(text).encode()).decode() for key, text in plain.items()}
        obj["data"] = {**(obj.get("data") or {}), **coded}


def _deployment(obj: Object, old: Object | None, now: str) -> None:
    spec = _section(obj, "spec")
    if spec.get("replicas") is None:
        spec["replicas"] = 1


def _claim(obj: Object, old: Object | None, now: str) -> None:
    """Bound at once: every claim of the embedded engine is a folder, made when it is first used."""
    spec = _section(obj, "spec")
    spec.setdefault("volumeMode", "Filesystem")
    if old is None:
        capacity = (spec.get("resources") or {}).get("requests") or {}
        modes = spec.get("accessModes") or []
        obj["status"] = {"phase": "Bound", "accessModes": modes, "capacity": capacity}


_STEPS: Mapping[str, Callable[[Object, Object | None, str], None]] = {
    "/namespaces": _namespace,
    "/persistentvolumeclaims": _claim,
    "/pods": _pod,
    "/secrets": _secret,
    "/services": _service,
    "apiextensions.k8s.io/customresourcedefinitions": complete_definition,
    "apps/deployments": _deployment,
    "apps/replicasets": _deployment,
    "apps/statefulsets": _deployment,
}
