"""Where requests to a revision go: EndpointSlices and the limit of its concurrency."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from rouse.embedded.knative import names
from rouse.embedded.knative.make.deployment import protocol_of
from rouse.embedded.knative.make.revision import container_concurrency
from rouse.kube.objects import Object, owner_reference

__all__ = ["Endpoint", "make_destination_rule", "make_slices"]

_PENDING_LIMIT = 1000
"""Requests that wait in the gateway for a free slot of a replica, as in the activator."""


class Endpoint(NamedTuple):
    """A listening address of this machine."""

    host: str
    port: int


def make_slices(revision: Object, service: str, endpoints: Iterable[Endpoint]) -> list[Object]:
    """One slice per endpoint, because replicas on one machine differ in their port.

    With no endpoint there is one slice that says so.
    """
    wanted: list[Endpoint | None] = [*sorted(endpoints)] or [None]
    return [_slice(revision, service, index, one) for index, one in enumerate(wanted, 1)]


def _slice(revision: Object, service: str, index: int, endpoint: Endpoint | None) -> Object:
    metadata = revision["metadata"]
    port_name = "h2c" if protocol_of(revision) == "h2c" else "http"
    addresses = [] if endpoint is None else [_address(endpoint.host)]
    port = 80 if endpoint is None else endpoint.port
    return {
        "apiVersion": "discovery.k8s.io/v1",
        "kind": "EndpointSlice",
        "metadata": {
            "name": f"{service}-{index}",
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


def make_destination_rule(revision: Object, ready: int) -> Object | None:
    """The limit of requests in flight, where the revision sets one per replica."""
    limit = container_concurrency(revision)
    if limit == 0:
        return None
    metadata = revision["metadata"]
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
            "host": names.local_host(metadata["name"], metadata["namespace"]),
            "trafficPolicy": {
                "connectionPool": {
                    "tcp": {"maxConnections": limit * max(1, ready)},
                    "http": {"http1MaxPendingRequests": _PENDING_LIMIT},
                }
            },
        },
    }
