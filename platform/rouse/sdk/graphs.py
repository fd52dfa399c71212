"""Compiling an InferenceGraph without a cluster, beside the InferenceServices that it calls."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime

from rouse.api.base import Object
from rouse.api.inferencegraph import InferenceGraph
from rouse.api.inferencegraph.lifecycle import ROUTER_READY, STEPS_READY
from rouse.api.inferenceservice.lifecycle import condition_of
from rouse.compiler import Compiled, Config, Observed
from rouse.compiler.component import PREDICTOR, TRANSFORMER
from rouse.compiler.graph import compile_graph
from rouse.compiler.graph.endpoints import address_of
from rouse.compiler.names import component_name, service_host

__all__ = ["addressed", "compile_offline"]


def compile_offline(
    graph: InferenceGraph,
    services: Mapping[str, Object],
    config: Config,
    observed: Observed,
    now: datetime,
) -> tuple[Compiled, str]:
    """Return what a graph compiles to and why it does not; empty where it does.

    ``services`` are the InferenceServices of its namespace that are known, by name.
    """
    compiled = compile_graph(graph, services=services, config=config, observed=observed, now=now)
    if compiled.prune:
        return compiled, ""
    router, steps = (
        condition_of({"status": compiled.status}, type_) for type_ in (ROUTER_READY, STEPS_READY)
    )
    if router.get("status") == "False" and steps.get("status") != "False":
        return compiled, str(router.get("message", ""))
    return compiled, f"spec.nodes: {steps.get('message', '')}, or give its file too"


def addressed(services: Iterable[Object], config: Config) -> dict[str, Object]:
    """Return InferenceServices by name; who was never seen serving has the address it will get."""
    return {each["metadata"]["name"]: _addressed(each, config) for each in services}


def _addressed(service: Object, config: Config) -> Object:
    if address_of(service):
        return service
    name, namespace = service["metadata"]["name"], service["metadata"]["namespace"]
    if config.disable_ingress_creation:
        entry = TRANSFORMER if (service.get("spec") or {}).get("transformer") else PREDICTOR
        name = component_name(name, entry)
    url = f"http://{service_host(name, namespace, config.cluster_domain)}"
    return {**service, "status": {**(service.get("status") or {}), "address": {"url": url}}}
