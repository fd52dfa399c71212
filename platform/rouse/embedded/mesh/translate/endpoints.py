"""Service and EndpointSlices -> the addresses a cluster sends requests to."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from typing import TypeAlias

from rouse.kube.objects import Object

__all__ = ["Endpoint", "endpoints_of", "port_of", "wants_http2"]

Endpoint: TypeAlias = tuple[str, int]
"""IP address and port."""

_HTTP2_NAMES = ("http2", "h2c", "grpc", "grpc-web")
_HTTP2_PROTOCOLS = ("http2", "h2c", "kubernetes.io/h2c", "grpc")


def port_of(service: Mapping[str, object] | None, number: int) -> Object | None:
    """Return the port of a Service with this number."""
    for port in _ports(service):
        if port.get("port") == number:
            return port
    return None


def wants_http2(port: Object | None) -> bool:
    """Whether replicas behind a Service port speak HTTP/2 in the clear."""
    if port is None:
        return False
    protocol = str(port.get("appProtocol") or "").lower()
    if protocol:
        return protocol in _HTTP2_PROTOCOLS
    name = str(port.get("name") or "").lower()
    return name in _HTTP2_NAMES or name.startswith(tuple(f"{known}-" for known in _HTTP2_NAMES))


def endpoints_of(port: Object | None, slices: Iterable[Object]) -> frozenset[Endpoint]:
    """Collect the ready endpoints of a Service port over all its slices."""
    name = str((port or {}).get("name") or "")
    return frozenset(endpoint for one in slices for endpoint in _of_slice(name, one))


def _of_slice(name: str, one: Object) -> Iterator[Endpoint]:
    number = _slice_port(name, one)
    if number is None:
        return
    for endpoint in one.get("endpoints") or ():
        # Absent means ready: https://kubernetes.io/docs/concepts/services-networking/endpoint-slices
        if (endpoint.get("conditions") or {}).get("ready") is False:
            continue
        for address in endpoint.get("addresses") or ():
            yield address, number


def _slice_port(name: str, one: Object) -> int | None:
    ports: list[Object] = one.get("ports") or []
    numbers = {str(port.get("name") or ""): port.get("port") for port in ports}
    # A slice with one unnamed port serves a Service whose only port has a name.
    number = numbers.get("") if len(ports) == 1 and "" in numbers else numbers.get(name)
    return number if isinstance(number, int) else None


def _ports(service: Mapping[str, object] | None) -> Iterator[Object]:
    spec = (service or {}).get("spec")
    if isinstance(spec, dict):
        yield from spec.get("ports") or ()
