"""Revision -> Deployment, PodAutoscaler and the two Services."""

from __future__ import annotations

from copy import deepcopy
from typing import Final

from rouse.autoscaler.annotations import PREFIX
from rouse.embedded.knative import names
from rouse.embedded.knative.make.configuration import passed_on
from rouse.embedded.knative.make.revision import container_concurrency, serving_container
from rouse.embedded.knative.make.routing import ROUTING_ANNOTATIONS
from rouse.kube.objects import Object, owner_reference

__all__ = ["make_deployment", "make_pod_autoscaler", "make_services", "protocol_of"]

_NOT_IN_A_POD: Final = (
    "containerConcurrency",
    "timeoutSeconds",
    "responseStartTimeoutSeconds",
    "idleTimeoutSeconds",
)


def make_deployment(revision: Object, *, replicas: int, progress_deadline_s: float) -> Object:
    """The Deployment that runs a revision at ``replicas``."""
    metadata = revision["metadata"]
    labels = _labels(revision)
    selector = {names.REVISION_UID_LABEL: metadata["uid"]}
    spec = {k: deepcopy(v) for k, v in revision["spec"].items() if k not in _NOT_IN_A_POD}
    _add_environment(spec, revision)
    # How a revision is scaled is no affair of its pods: they go on when that changes.
    annotations = {
        name: value for name, value in _annotations(revision).items() if not name.startswith(PREFIX)
    }
    made = _child(revision, "apps/v1", "Deployment", names.deployment_name(metadata["name"]))
    made["metadata"]["annotations"] = annotations
    return made | {
        "spec": {
            "replicas": replicas,
            "progressDeadlineSeconds": round(progress_deadline_s),
            "selector": {"matchLabels": selector},
            "template": {
                "metadata": {
                    "labels": labels | selector,
                    "annotations": annotations,
                },
                "spec": spec,
            },
        }
    }


def make_pod_autoscaler(revision: Object) -> Object:
    """The PodAutoscaler, which tells people and tools how the revision is scaled."""
    name = revision["metadata"]["name"]
    return _child(revision, "autoscaling.internal.knative.dev/v1alpha1", "PodAutoscaler", name) | {
        "spec": {
            "containerConcurrency": container_concurrency(revision),
            "protocolType": protocol_of(revision),
            "scaleTargetRef": {
                "apiVersion": "apps/v1",
                "kind": "Deployment",
                "name": names.deployment_name(name),
            },
        }
    }


def make_services(revision: Object) -> list[Object]:
    """The public Service, whose slices may be the activator, and the private one, whose never."""
    name = revision["metadata"]["name"]
    return [
        _service(revision, name, "Public"),
        _service(revision, names.private_name(name), "Private"),
    ]


def protocol_of(revision: Object) -> str:
    """``h2c`` where the serving container's port says so, else ``http1``."""
    ports = serving_container(revision["spec"]).get("ports") or [{}]
    return "h2c" if ports[0].get("name") in ("h2c", "grpc") else "http1"


def _service(revision: Object, name: str, kind: str) -> Object:
    port_name = "h2c" if protocol_of(revision) == "h2c" else "http"
    made = _child(revision, "v1", "Service", name)
    made["metadata"]["labels"][names.SERVICE_TYPE_LABEL] = kind
    target = serving_container(revision["spec"])["ports"][0]["containerPort"]
    made["spec"] = {
        "clusterIP": "None",
        "ports": [{"name": port_name, "port": 80, "protocol": "TCP", "targetPort": target}],
    }
    return made


def _annotations(revision: Object) -> dict[str, str]:
    given = passed_on(revision["metadata"].get("annotations"))
    return {name: value for name, value in given.items() if name not in ROUTING_ANNOTATIONS}


def _labels(revision: Object) -> dict[str, str]:
    metadata = revision["metadata"]
    given = {**(metadata.get("labels") or {})}
    # A pod must not be made anew because requests are led elsewhere.
    given.pop(names.ROUTING_STATE_LABEL, None)
    return {
        **given,
        names.REVISION_LABEL: metadata["name"],
        names.REVISION_UID_LABEL: metadata["uid"],
        names.APP_LABEL: metadata["name"],
    }


def _child(revision: Object, api_version: str, kind: str, name: str) -> Object:
    metadata = revision["metadata"]
    return {
        "apiVersion": api_version,
        "kind": kind,
        "metadata": {
            "name": name,
            "namespace": metadata["namespace"],
            "labels": _labels(revision),
            "annotations": _annotations(revision),
            "ownerReferences": [owner_reference(revision)],
        },
    }


def _add_environment(spec: Object, revision: Object) -> None:
    """What Knative promises to every serving container: PORT, K_REVISION and the like."""
    labels = revision["metadata"].get("labels") or {}
    container = serving_container(spec)
    promised = {
        "PORT": str(container["ports"][0]["containerPort"]),
        "K_REVISION": revision["metadata"]["name"],
        "K_CONFIGURATION": labels.get(names.CONFIGURATION_LABEL, ""),
        "K_SERVICE": labels.get(names.SERVICE_LABEL, ""),
    }
    container["env"] = [
        *(one for one in container.get("env") or [] if one["name"] not in promised),
        *({"name": name, "value": value} for name, value in promised.items()),
    ]
