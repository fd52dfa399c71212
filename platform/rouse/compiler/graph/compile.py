"""One InferenceGraph and what was observed of it and its steps -> everything that is wanted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime

from rouse.api import inferencegraph
from rouse.api.base import Object
from rouse.api.findings import examine
from rouse.api.inferencegraph.lifecycle import (
    ROUTER_READY,
    Reason,
    conditions,
    services_of,
)
from rouse.api.inferencegraph.types import InferenceGraph
from rouse.api.inferenceservice.lifecycle import READY, Finding, condition_of
from rouse.api.inferenceservice.modes import KNATIVE, MODE_ANNOTATION, STANDARD, mode_of
from rouse.compiler.access import make_auth_objects
from rouse.compiler.compiled import Compiled
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.graph.endpoints import address_of, endpoint_of
from rouse.compiler.graph.events import make_graph_events
from rouse.compiler.graph.knative import compile_knative, find_knative
from rouse.compiler.graph.router import make_router
from rouse.compiler.graph.standard import compile_standard, find_standard
from rouse.compiler.graph.status import (
    make_graph_status,
    make_refused_graph_status,
    make_stopped_graph_status,
)
from rouse.compiler.graph.wanted import Wanted
from rouse.compiler.metadata import is_stopped
from rouse.compiler.modes import kept_mode
from rouse.compiler.observed import Observed

__all__ = ["compile_graph", "compile_graph_object", "refuse_graph"]

_BACKENDS = {KNATIVE: compile_knative, STANDARD: compile_standard}
_FINDERS = {KNATIVE: find_knative, STANDARD: find_standard}


def compile_graph_object(
    obj: Object,
    *,
    services: Mapping[str, Object],
    config: Config,
    observed: Observed,
    now: datetime,
) -> Compiled:
    """Read, check and compile an InferenceGraph as it comes from the API.

    Never raises for what a user wrote: an invalid object gets no objects and a status that names
    every finding.
    """
    graph, findings = examine(inferencegraph.InferenceGraph, obj, inferencegraph.validate)
    if graph is not None and not findings:
        return compile_graph(graph, services=services, config=config, observed=observed, now=now)
    metadata = obj["metadata"]
    error = CompileError(Reason.INVALID_SPEC, "; ".join(map(str, findings)))
    return refuse_graph(metadata["name"], metadata.get("generation"), error, observed, now)


def compile_graph(
    graph: InferenceGraph,
    *,
    services: Mapping[str, Object],
    config: Config,
    observed: Observed,
    now: datetime,
) -> Compiled:
    """Compile a valid InferenceGraph; see `Compiled` for what comes out.

    ``services`` are the InferenceServices of its namespace that it names, and one of its own name,
    by name, with their status. While one of the former is not there or has no address, nothing is
    written and nothing removed: what serves goes on serving.
    """
    graph = inferencegraph.default(graph)
    before = observed.previous_status
    generation = graph.metadata.generation
    if is_stopped(graph):
        default = before.get("deploymentMode") or config.default_deployment_mode
        mode = mode_of(graph.annotations, default) or KNATIVE
        status = make_stopped_graph_status(mode=mode, generation=generation, before=before, now=now)
        return Compiled((), status, make_graph_events(graph.name, before, status))
    try:
        return _compile(graph, services, config, observed, now)
    except CompileError as error:
        return refuse_graph(graph.name, generation, error, observed, now)


def refuse_graph(
    name: str, generation: int | None, error: CompileError, observed: Observed, now: datetime
) -> Compiled:
    """Return nothing to write, and a status that says why; what serves goes on serving."""
    before = observed.previous_status
    status = make_refused_graph_status(generation, error, before, now)
    return Compiled((), status, make_graph_events(name, before, status), prune=False)


def _compile(
    graph: InferenceGraph,
    services: Mapping[str, Object],
    config: Config,
    observed: Observed,
    now: datetime,
) -> Compiled:
    mode = kept_mode(graph, config, observed)
    if mode not in _BACKENDS:
        raise CompileError(
            Reason.INVALID_SPEC,
            f"metadata.annotations[{MODE_ANNOTATION}]: a graph has no mode {mode}; use {KNATIVE} "
            f"or {STANDARD}",
        )
    _check_name(graph, services, observed)
    named = {name: services[name] for name in services_of(graph) if name in services}
    urls = {name: url for name, each in named.items() if (url := endpoint_of(each))}
    before = observed.previous_status
    complete = all(name in urls for name in services_of(graph))
    if complete:
        router = make_router(graph, urls, config)
        wanted = _BACKENDS[mode](graph, router, config=config, observed=observed)
    else:
        wanted = _waiting(graph, mode, config, observed)
    status = make_graph_status(
        conditions(
            graph,
            router=wanted.router,
            services={name: _readiness(each) for name, each in named.items()},
        ),
        mode=mode,
        url=wanted.url,
        generation=graph.metadata.generation,
        before=before,
        now=now,
    )
    events = make_graph_events(graph.name, before, status)
    return Compiled(wanted.objects, status, events, prune=complete)


def _waiting(graph: InferenceGraph, mode: str, config: Config, observed: Observed) -> Wanted:
    """Return what is wanted while a step has no address: that what serves goes on."""
    found = _FINDERS[mode](graph, observed)
    if found is None:
        message = "the router is made once every InferenceService that it calls has an address"
        return Wanted((), Finding(ROUTER_READY, "Unknown", Reason.WAITING_FOR_STEPS, message), "")
    # Who asks for tokens or keys by now is closed all the same.
    access = tuple(make_auth_objects(graph, config))
    return Wanted(access, found, str(observed.previous_status.get("url") or ""))


def _readiness(service: Object) -> Finding:
    ready = condition_of(service, READY)
    reason = ready.get("reason") or ""
    if ready.get("status") == "False":
        return Finding(READY, "False", reason)
    good = ready.get("status") == "True" and address_of(service)
    return Finding(READY, "True" if good else "Unknown", reason)


def _check_name(graph: InferenceGraph, services: Mapping[str, Object], observed: Observed) -> None:
    """Refuse a graph whose name an InferenceService has; who had the name first keeps it."""
    made = bool(observed.knative_services or observed.deployments)
    if graph.name in services and not made:
        raise CompileError(
            Reason.NAME_TAKEN,
            f"metadata.name: there is an InferenceService {graph.name} in the namespace, and both "
            "would need the same host and Service; give the graph another name",
        )
