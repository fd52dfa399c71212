"""The objects that keep standby pods: a Deployment for each shape, a NetworkPolicy by namespace."""

from __future__ import annotations

from typing import Final

from rouse.api.base import Object
from rouse.coldstart.standby import Place
from rouse.compiler.config import CONFIG_NAMESPACE
from rouse.compiler.names import MANAGED_BY
from rouse.controllers.standby.names import (
    KEY_ANNOTATION,
    NAME_LABEL,
    POLICY,
    STANDBY_LABEL,
    STANDBY_NAME,
)
from rouse.controllers.standby.shape import Shape
from rouse.controllers.standby.signing import PublicKey

__all__ = ["make_deployment", "make_policy", "pool_name"]

_VOLUME: Final = "rouse-standby"
_FOLDER: Final = "/var/run/rouse-standby"
_CONTROLLER: Final = {NAME_LABEL: "rouse-controller"}


def pool_name(shape: str) -> str:
    """Return the name of the Deployment of a shape."""
    return f"rouse-standby-{shape}"


def make_deployment(place: Place, shape: Shape, count: int, key: PublicKey) -> Object:
    """Return the Deployment of a shape's standby pods, which replaces those handed over.

    They have the priority of the pods that they become: it could not be changed any more.
    """
    own = {STANDBY_LABEL: place.shape, NAME_LABEL: STANDBY_NAME}
    containers = [
        _waiting(each, shape, key) if each["name"] == shape.container else each
        for each in shape.pod["containers"]
    ]
    volume = {"name": _VOLUME, "emptyDir": {"sizeLimit": "1Mi"}}
    pod = {
        **shape.pod,
        "containers": containers,
        "volumes": [*(shape.pod.get("volumes") or ()), volume],
    }
    annotations = {**shape.annotations, KEY_ANNOTATION: key.name}
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": pool_name(place.shape),
            "namespace": place.namespace,
            "labels": {**MANAGED_BY, **own},
        },
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": {STANDBY_LABEL: place.shape}},
            # Nobody waits for them, and there may be no room for both.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"},
            },
            "template": {
                "metadata": {"labels": {**shape.labels, **own}, "annotations": annotations},
                "spec": pod,
            },
        },
    }


def _waiting(container: Object, shape: Shape, key: PublicKey) -> Object:
    uid = {"fieldRef": {"apiVersion": "v1", "fieldPath": "metadata.uid"}}
    env = [
        *(container.get("env") or ()),
        {"name": "ROUSE_STANDBY_KEY", "value": key.text},
        {"name": "ROUSE_STANDBY_POD", "valueFrom": uid},
    ]
    mount = {"name": _VOLUME, "mountPath": _FOLDER}
    return {
        **container,
        "args": ["--standby", f"--http_port={shape.port}"],
        "env": env,
        "volumeMounts": [*(container.get("volumeMounts") or ()), mount],
    }


def make_policy(namespace: str) -> Object:
    """Return the NetworkPolicy that lets nobody but the controller speak to standby pods."""
    sender = {
        "namespaceSelector": {"matchLabels": {"kubernetes.io/metadata.name": CONFIG_NAMESPACE}},
        "podSelector": {"matchLabels": _CONTROLLER},
    }
    chosen = {"matchExpressions": [{"key": STANDBY_LABEL, "operator": "Exists"}]}
    return {
        "apiVersion": "networking.k8s.io/v1",
        "kind": "NetworkPolicy",
        "metadata": {"name": POLICY, "namespace": namespace, "labels": dict(MANAGED_BY)},
        "spec": {
            "podSelector": chosen,
            "policyTypes": ["Ingress"],
            "ingress": [{"from": [sender]}],
        },
    }
