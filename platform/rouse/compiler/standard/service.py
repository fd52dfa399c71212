"""The Service of a component."""

from __future__ import annotations

from typing import Any

from rouse.api.base import Object
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.metadata import make_metadata
from rouse.compiler.owner import Owner
from rouse.compiler.podwebhook.agent import AGENT_PORT
from rouse.compiler.standard.deployment import DEFAULT_PORT, entrance_of, workload_selector

__all__ = ["HEADLESS_ANNOTATION", "SERVICE_PORT", "make_service"]

HEADLESS_ANNOTATION = "rouse.dev/headless-service"
"""``true``: the Service has no address of its own, its name leads to the pods themselves.

``false``: it has one, whatever serviceClusterIpNone says."""

SERVICE_PORT = 80

_AGENT_ANNOTATIONS = (
    "internal.serving.kserve.io/batcher",
    "internal.serving.kserve.io/logger",
)
_H2C = ("grpc", "h2c", "http2")


def make_service(owner: Owner, component: ResolvedComponent, config: Config) -> Object:
    """Return the Service: port 80 leads to the container that requests enter by.

    Further ports of that container keep their numbers.
    """
    containers = {each["name"]: each for each in component.pod_spec["containers"]}
    first, *others = containers[entrance_of(component.pod_spec)].get("ports") or [{}]
    target = first.get("containerPort", DEFAULT_PORT)
    if any(component.annotations.get(each) == "true" for each in _AGENT_ANNOTATIONS):
        target = AGENT_PORT
    ports = [_port(first.get("name", ""), SERVICE_PORT, target)]
    taken = {SERVICE_PORT}
    for other in others:
        number = other["containerPort"]
        if number not in taken:
            taken.add(number)
            ports.append({**_port(other.get("name", ""), number, number), "name": f"port-{number}"})
    spec: Object = {"selector": workload_selector(component), "ports": ports}
    headless = "true" if config.service_cluster_ip_none else "false"
    if component.annotations.get(HEADLESS_ANNOTATION, headless) == "true":
        spec["clusterIP"] = "None"
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": make_metadata(owner, component.name, component.component),
        "spec": spec,
    }


def _port(name: str, number: int, target: int) -> dict[str, Any]:
    port = {"name": "http", "port": number, "targetPort": target, "protocol": "TCP"}
    if name.startswith(_H2C):
        # Gateways take the protocol from these, not from what is spoken.
        return {**port, "name": "h2c", "appProtocol": "kubernetes.io/h2c"}
    return port
