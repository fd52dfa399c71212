"""The mode Knative: a Knative Service of the graph's name, and the hosts of it outside."""

from __future__ import annotations

from dataclasses import replace

from rouse.api.base import Object
from rouse.api.inferencegraph.lifecycle import ROUTER_READY, Reason
from rouse.api.inferencegraph.types import InferenceGraph
from rouse.api.inferenceservice.lifecycle import Finding, condition_of, summarize
from rouse.compiler.access import make_auth_objects, methods_of
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.conditions import is_current, mirrored, observe_ingress
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.graph.crashes import with_crash
from rouse.compiler.graph.routes import make_graph_routes, to_revisions
from rouse.compiler.graph.wanted import Wanted
from rouse.compiler.hosts import public_url
from rouse.compiler.knative import make_knative_service, make_template
from rouse.compiler.metadata import is_cluster_local
from rouse.compiler.names import MAX_KNATIVE_SERVICE, shorten
from rouse.compiler.network import make_alias, make_tls_objects
from rouse.compiler.observed import Observed

__all__ = ["compile_knative", "find_knative"]

_REVISION_LABEL = "serving.knative.dev/revision"
_ALL_TO_LATEST: list[Object] = [{"latestRevision": True, "percent": 100}]


def compile_knative(
    graph: InferenceGraph, router: ResolvedComponent, *, config: Config, observed: Observed
) -> Wanted:
    """Return everything wanted of the router. Raises CompileError for what Knative cannot do."""
    if graph.spec.node_name:
        raise CompileError(
            Reason.INVALID_SPEC,
            "spec.nodeName: Knative chooses the node; use nodeSelector or affinity, or the mode "
            "Standard",
        )
    router = replace(router, name=_name(graph))
    made = not config.disable_ingress_creation
    # Else Knative would claim the same host at the gateway, in its own way and past all policies.
    inside = made or bool(methods_of(graph, config))
    service = make_knative_service(
        graph, router, make_template(router), _ALL_TO_LATEST, inside=inside
    )
    live = observed.knative_services.get(router.name)
    current = live is not None and is_current(live, service)
    created = ((live or {}).get("status") or {}).get("latestCreatedRevisionName", "")
    ready = with_crash(_router_ready(live, current), observed.pods, {_REVISION_LABEL: created})
    if not made:
        return Wanted((service,), ready, str(((live or {}).get("status") or {}).get("url") or ""))
    # Before the Knative Service, which opens the host in the cluster.
    objects = [*make_auth_objects(graph, config), *make_tls_objects(graph, config), service]
    if router.name != graph.name:
        objects.append(make_alias(graph, graph.name, config))
    elif is_cluster_local(graph):
        return Wanted(tuple(objects), ready, public_url(graph, config))
    ways = to_revisions(live, graph.namespace, config)
    if not ways:
        return Wanted(tuple(objects), ready, "")
    routes = make_graph_routes(graph, router.name, ways, config)
    ingress = observe_ingress(routes, observed.virtual_service, config)
    return Wanted(
        (*objects, routes),
        summarize([ready, ingress], ROUTER_READY),
        public_url(graph, config),
    )


def find_knative(graph: InferenceGraph, observed: Observed) -> Finding | None:
    """Return RouterReady as the live Knative Service tells it; None where there is none."""
    live = observed.knative_services.get(_name(graph))
    return None if live is None else _router_ready(live, True)


def _router_ready(live: Object | None, current: bool) -> Finding:
    # Of a first revision that failed Ready says only that there is none; its configuration, why.
    failed = condition_of(live, "ConfigurationsReady").get("status") == "False"
    return mirrored(live, current, "ConfigurationsReady" if failed else "Ready", ROUTER_READY)


def _name(graph: InferenceGraph) -> str:
    """Return the name of the Knative Service: the graph's, unless Knative's own would be too long.

    Then the graph's host in the cluster is not Knative's, and led there as those outside are.
    """
    return shorten(graph.name, MAX_KNATIVE_SERVICE)
