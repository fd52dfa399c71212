"""How requests come to a graph: a VirtualService with its hosts and paths.

The host in the cluster is not among them where the Knative Service, or the Service, has the graph's
name: it answers there by itself.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rouse.api.base import Object
from rouse.api.inferencegraph.types import InferenceGraph
from rouse.compiler.config import Config
from rouse.compiler.hosts import local_host
from rouse.compiler.metadata import make_metadata
from rouse.compiler.names import revision_host
from rouse.compiler.network import make_rule, virtual_service_of
from rouse.compiler.paths import attachment, entrances

__all__ = ["make_graph_routes", "to_revisions", "to_service"]

_PORT = 80


def make_graph_routes(
    graph: InferenceGraph, service: str, route: Sequence[Object], config: Config
) -> Object:
    """Return the VirtualService of a graph.

    ``service`` is the Service that answers, ``route`` where requests for it go. Where it has the
    graph's name, the graph is to be reached from outside. Raises CompileError for a bad template of
    hosts or paths.
    """
    ways_in = entrances(graph, config)
    http = []
    for entrance in ways_in:
        match = entrance.match("")
        rule = make_rule(graph, service, entrance, route, config, timeout_s=graph.spec.timeout)
        http.append({"match": [match], **rule} if match else rule)
    if service != graph.name:
        return virtual_service_of(graph, ways_in, http, config)
    hosts, _ = attachment(graph, ways_in, config)
    inside = local_host(graph, config)
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": make_metadata(graph, graph.name),
        "spec": {
            "hosts": [host for host in hosts if host != inside],
            "gateways": config.outside_gateways,
            "http": http,
        },
    }


def to_revisions(live: Mapping[str, Any] | None, namespace: str, config: Config) -> list[Object]:
    """Return the way to the revisions that Knative's own split names; empty until one is ready."""
    shares: dict[str, int] = {}
    for target in ((live or {}).get("status") or {}).get("traffic") or ():
        if target.get("percent") and target.get("revisionName"):
            revision = target["revisionName"]
            shares[revision] = shares.get(revision, 0) + target["percent"]
    return [
        {
            "destination": _destination(revision_host(revision, namespace, config.cluster_domain)),
            # Knative's activator knows a revision by these headers, not by the host.
            "headers": {
                "request": {
                    "set": {
                        "Knative-Serving-Namespace": namespace,
                        "Knative-Serving-Revision": revision,
                    }
                }
            },
            "weight": percent,
        }
        for revision, percent in sorted(shares.items())
    ]


def to_service(graph: InferenceGraph, config: Config) -> list[Object]:
    """Return the way to the Service of the mode Standard."""
    return [{"destination": _destination(local_host(graph, config))}]


def _destination(host: str) -> Object:
    return {"host": host, "port": {"number": _PORT}}
