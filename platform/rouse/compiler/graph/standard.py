"""The mode Standard: Deployment, Service and autoscaler of the graph's name, as on KServe."""

from __future__ import annotations

from rouse.api.base import Object
from rouse.api.inferencegraph.lifecycle import ROUTER_READY, Reason
from rouse.api.inferencegraph.types import InferenceGraph
from rouse.api.inferenceservice.annotations import AUTH
from rouse.api.inferenceservice.lifecycle import Finding, summarize
from rouse.compiler.access import make_auth_objects, methods_of
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.conditions import observe_ingress
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.graph.crashes import with_crash
from rouse.compiler.graph.routes import make_graph_routes, to_service
from rouse.compiler.graph.wanted import Wanted
from rouse.compiler.hosts import local_host, public_url
from rouse.compiler.metadata import is_cluster_local
from rouse.compiler.network import make_tls_objects
from rouse.compiler.observed import Observed
from rouse.compiler.standard.conditions import observe_workload
from rouse.compiler.standard.deployment import make_deployment, workload_selector
from rouse.compiler.standard.scaling import make_autoscaler, scaling_of
from rouse.compiler.standard.service import make_service

__all__ = ["compile_standard", "find_standard"]

_MEASURED = (None, "cpu", "memory")


def compile_standard(
    graph: InferenceGraph, router: ResolvedComponent, *, config: Config, observed: Observed
) -> Wanted:
    """Return everything wanted of the router. Raises CompileError for what only Knative can do."""
    _check(graph, config)
    scaling = scaling_of(graph, router, config)
    deployment = make_deployment(graph, router, scaling, config)
    scaler = make_autoscaler(graph, router, scaling)
    workload: list[Object] = [deployment, make_service(graph, router, config)]
    if scaler is not None:
        workload.append(scaler)
    found = observe_workload(ROUTER_READY, deployment, observed).ready
    ready = with_crash(found, observed.pods, workload_selector(router))
    if config.disable_ingress_creation or is_cluster_local(graph):
        return Wanted(tuple(workload), ready, f"http://{local_host(graph, config)}")
    routes = make_graph_routes(graph, graph.name, to_service(graph, config), config)
    access = (*make_auth_objects(graph, config), *make_tls_objects(graph, config))
    ingress = observe_ingress(routes, observed.virtual_service, config)
    return Wanted(
        (*workload, *access, routes),
        summarize([ready, ingress], ROUTER_READY),
        public_url(graph, config),
    )


def find_standard(graph: InferenceGraph, observed: Observed) -> Finding | None:
    """Return RouterReady as the live Deployment tells it; None where there is none."""
    live = observed.deployments.get(graph.name)
    return None if live is None else observe_workload(ROUTER_READY, live, observed).ready


def _check(graph: InferenceGraph, config: Config) -> None:
    if graph.spec.scale_metric not in _MEASURED:
        raise CompileError(
            Reason.INVALID_SPEC,
            f'spec.scaleMetric: "{graph.spec.scale_metric}" is measured only in the mode Knative; '
            "use cpu or memory here",
        )
    if config.auth.cluster_local and methods_of(graph, config):
        raise CompileError(
            Reason.INVALID_SPEC,
            f"metadata.annotations[{AUTH}]: auth.clusterLocal of ConfigMap rouse-config asks "
            "callers inside the cluster too, and in the mode Standard they come to a graph past "
            "the gateway; use the mode Knative, or the method none and a NetworkPolicy",
        )
