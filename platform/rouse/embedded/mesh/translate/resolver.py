"""Destinations -> clusters: which Service, which port, which DestinationRule."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Final, Protocol

from rouse.embedded.mesh.translate.actions import Destination
from rouse.embedded.mesh.translate.clusters import hash_policy
from rouse.embedded.mesh.translate.names import (
    INGRESS,
    LOCAL,
    cluster_name,
    service_key,
    static_cluster,
)
from rouse.embedded.mesh.translate.problems import InvalidFieldError
from rouse.embedded.mesh.translate.rules import Rules
from rouse.kube.objects import Key, Object

__all__ = ["ClusterSource", "Resolver", "Services"]

_GATEWAYS: Final = {
    Key("istio-system", "knative-local-gateway"): LOCAL,
    Key("istio-system", "istio-ingressgateway"): INGRESS,
}
_LONGEST_CHAIN: Final = 4


class Services(Protocol):
    """Where Services are looked up."""

    def get(self, kind: str, key: Key) -> Object | None:
        """Return one object."""


@dataclass(frozen=True, slots=True)
class ClusterSource:
    """What a cluster is made from: a Service port, or a host outside."""

    name: str
    port: int
    service: Key | None = None
    external_host: str = ""


class Resolver:
    """Finds clusters and remembers in ``sources`` which ones are needed."""

    def __init__(self, services: Services, rules: Rules) -> None:
        self._services = services
        self._rules = rules
        self.sources: dict[str, ClusterSource] = {}

    def resolve(self, destination: Object | None, path: str, namespace: str) -> Destination:
        """Find the cluster of an Istio ``Destination``; raises InvalidFieldError."""
        if not isinstance(destination, dict) or not isinstance(destination.get("host"), str):
            raise InvalidFieldError(f"{path}.destination.host", "is required")
        host = destination["host"].lower()
        if destination.get("subset"):
            where = f"{path}.destination.subset"
            raise InvalidFieldError(where, "is not supported by the embedded mesh")
        key = service_key(host, namespace)
        if key is None:
            message = f'"{host}" is not a Service; write name.namespace.svc.cluster.local'
            raise InvalidFieldError(f"{path}.destination.host", message)
        number = (destination.get("port") or {}).get("number")
        return self._of_service(key, number, f"{path}.destination")

    def need(self, key: Key, number: int) -> ClusterSource:
        """Ask for the cluster of a Service port, whether or not a route names it."""
        name = cluster_name(f"{key.name}.{key.namespace}.svc.cluster.local", number)
        return self.sources.setdefault(name, ClusterSource(name, number, service=key))

    def _of_service(self, key: Key, number: int | None, path: str, depth: int = 0) -> Destination:
        if key in _GATEWAYS:
            return Destination(static_cluster(_GATEWAYS[key]))
        service = self._services.get("Service", key)
        spec = (service or {}).get("spec") or {}
        if spec.get("type") == "ExternalName":
            return self._of_external_name(spec, key, number, path, depth)
        number = number or _only_port(spec, key, path)
        source = self.need(key, number)
        return Destination(source.name, hash_policy(self._rules.policy_of(key, number)))

    def _of_external_name(
        self, spec: Object, key: Key, number: int | None, path: str, depth: int
    ) -> Destination:
        host = str(spec.get("externalName", "")).lower().rstrip(".")
        if depth >= _LONGEST_CHAIN:
            message = f"Service {key} leads through more than {_LONGEST_CHAIN} ExternalNames"
            raise InvalidFieldError(f"{path}.host", message)
        if host.endswith((".svc", ".svc.cluster.local")):
            target = service_key(host, key.namespace)
            if target is None:
                message = f'Service {key} has the externalName "{host}", which is no Service'
                raise InvalidFieldError(f"{path}.host", message)
            return self._of_service(target, number, path, depth + 1)
        number = number or 80
        name = cluster_name(host, number)
        self.sources.setdefault(name, ClusterSource(name, number, external_host=host))
        return Destination(name)


def _only_port(spec: Object, key: Key, path: str) -> int:
    """Return the port when the destination names none."""
    ports = [port.get("port") for port in spec.get("ports") or ()]
    if len(ports) > 1:
        raise InvalidFieldError(f"{path}.port.number", f"is required: Service {key} has {ports}")
    return ports[0] if ports else 80
