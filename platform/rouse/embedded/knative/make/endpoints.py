"""Where requests to a revision go: EndpointSlices, and the limit of its replicas."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rouse.embedded.knative import names
from rouse.embedded.knative.make.deployment import protocol_of
from rouse.embedded.knative.make.revision import container_concurrency
from rouse.kube.objects import Object, owner_reference

__all__ = ["Endpoint", "make_destination_rule", "make_slices"]


class Endpoint(NamedTuple):
    """A listening address of this machine."""

    host: str
    port: int


def make_slices(revision: Object, service: str, endpoints: Iterable[Endpoint]) -> list[Object]:
    """One slice per endpoint, because replicas on one machine differ in their port.

    With no endpoint there is one slice that says so.
    """
    wanted: list[Endpoint | None] = [*sorted(endpoints)] or [None]
    return [_slice(revision, service, one) for one in wanted]


def _slice(revision: Object, service: str, endpoint: Endpoint | None) -> Object:
    metadata = revision["metadata"]
    port_name = "h2c" if protocol_of(revision) == "h2c" else "http"
    addresses = [] if endpoint is None else [_address(endpoint.host)]
    port = 80 if endpoint is None else endpoint.port
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            # Named after its endpoint: what stays is never out of the gateway for a moment.
            "name": f"{service}-{0 if endpoint is None else endpoint.port}",
            "namespace": metadata["namespace"],
            "labels": {
                names.SLICE_SERVICE_LABEL: service,
                names.SLICE_MANAGER_LABEL: names.SLICE_MANAGER,
                names.REVISION_LABEL: metadata["name"],
            },
            "ownerReferences": [owner_reference(revision)],
        },
        "addressType": "IPv4",
        "endpoints": addresses,
        "ports": [{"name": port_name, "port": port, "protocol": "TCP"}],
    }


def _address(host: str) -> Object:
    return {
        "addresses": [host],
        "conditions": {"ready": True, "serving": True, "terminating": False},
        "nodeName": names.NODE_NAME,
    }


def make_destination_rule(revision: Object) -> Object | None:
    """How many requests each replica takes at once, for the gateway; None where it is unlimited.

    It is that of the private Service, in whose cluster every replica is held to it. An HTTP/1.1
    connection has one request at a time, an HTTP/2 connection as many as streams.
    """
    limit = container_concurrency(revision)
    if limit == 0:
        return None
    pool: Object = {"tcp": {"maxConnections": limit}}
    if protocol_of(revision) == "h2c":
        pool = {"tcp": {"maxConnections": 1}, "http": {"maxConcurrentStreams": limit}}
    metadata = revision["metadata"]
    service = names.private_name(metadata["name"])
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "DestinationRule",
        "metadata": {
            "name": metadata["name"],
            "namespace": metadata["namespace"],
            "labels": {names.REVISION_LABEL: metadata["name"]},
            "ownerReferences": [owner_reference(revision)],
        },
        "spec": {
            "host": names.local_host(service, metadata["namespace"]),
            "trafficPolicy": {"connectionPool": pool},
        },
    }
