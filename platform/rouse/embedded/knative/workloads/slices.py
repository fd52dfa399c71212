"""Service and ready pods -> EndpointSlices, one per pod, because their ports differ here. Pure."""

from __future__ import annotations

import hashlib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass

from rouse.embedded.knative import names
from rouse.kube.objects import Object, owner_reference

__all__ = ["MANAGER", "Backend", "make_service_slices", "selector_of_service", "slice_ports"]

MANAGER = "rouse-services"


@dataclass(frozen=True, slots=True)
class Backend:
    """A pod that serves: its record, and containerPort -> port of this machine."""

    pod: Object
    host: str
    ports: Mapping[int, int]


def selector_of_service(service: Object) -> Mapping[str, str]:
    """The labels of a Service's pods; empty where it has none, or is but a name."""
    spec = service.get("spec") or {}
    return {} if spec.get("type") == "ExternalName" else spec.get("selector") or {}


def make_service_slices(service: Object, backends: Iterable[Backend]) -> list[Object]:
    """One slice for every pod that has at least one of the Service's ports."""
    made = []
    for backend in backends:
        ports = slice_ports(service, backend)
        if ports:
            made.append(_slice(service, backend, ports))
    return made


def slice_ports(service: Object, backend: Backend) -> list[Object]:
    """The Service's ports as this pod serves them; those that it does not declare are left out."""
    named = _named_ports(backend.pod)
    found = []
    for port in service["spec"].get("ports") or ():
        target = port.get("targetPort", port["port"])
        number = named.get(target) if isinstance(target, str) else target
        actual = None if number is None else backend.ports.get(number)
        if actual is not None:
            name = port.get("name", "")
            found.append({"name": name, "port": actual, "protocol": port.get("protocol", "TCP")})
    return found


def _named_ports(pod: Object) -> dict[str, int]:
    return {
        port["name"]: port["containerPort"]
        for container in pod["spec"].get("containers") or ()
        for port in container.get("ports") or ()
        if port.get("name")
    }


def _slice(service: Object, backend: Backend, ports: list[Object]) -> Object:
    metadata = service["metadata"]
    pod = backend.pod["metadata"]
    # Named after its pod: when one goes, the slices of the others stay as they are.
    suffix = hashlib.blake2b(pod["name"].encode(), digest_size=4).hexdigest()
    reference = {"kind": "Pod", "name": pod["name"], "namespace": metadata["namespace"]}
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{metadata['name']}-{suffix}",
            "namespace": metadata["namespace"],
            "labels": {
                names.SLICE_SERVICE_LABEL: metadata["name"],
                names.SLICE_MANAGER_LABEL: MANAGER,
            },
            "ownerReferences": [owner_reference(service)],
        },
        "addressType": "IPv4",
        "endpoints": [
            {
                "addresses": [backend.host],
                "conditions": {"ready": True, "serving": True, "terminating": False},
                "nodeName": names.NODE_NAME,
                "targetRef": reference | ({"uid": pod["uid"]} if "uid" in pod else {}),
            }
        ],
        "ports": ports,
    }
