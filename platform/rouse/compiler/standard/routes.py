"""The VirtualService in the mode Standard: hosts and paths lead to the components' Services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rouse.api.base import Object
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.component import EXPLAINER, TRANSFORMER, ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.names import service_host
from rouse.compiler.network import make_rule, virtual_service_of
from rouse.compiler.paths import EXPLAIN_PATHS, Entrance, entrances
from rouse.compiler.standard.service import SERVICE_PORT

__all__ = ["make_routes", "takes_requests"]


def takes_requests(components: Sequence[ResolvedComponent]) -> ResolvedComponent:
    """Return the component that takes all requests but those for explanations."""
    return next((each for each in components if each.component == TRANSFORMER), components[0])


def make_routes(
    isvc: InferenceService, components: Sequence[ResolvedComponent], config: Config
) -> Object:
    """Return the VirtualService. Raises CompileError for a bad template of hosts or paths."""
    ways_in = entrances(isvc, config)
    rules = list(_rules(isvc, components, ways_in, config))
    return virtual_service_of(isvc, ways_in, rules, config)


def _rules(
    isvc: InferenceService,
    components: Sequence[ResolvedComponent],
    ways_in: Sequence[Entrance],
    config: Config,
) -> Iterator[Object]:
    # Istio takes the first rule that matches.
    for explainer in (each for each in components if each.component == EXPLAINER):
        for entrance in ways_in:
            yield _rule(isvc, explainer, entrance, EXPLAIN_PATHS, config)
    for entrance in ways_in:
        yield _rule(isvc, takes_requests(components), entrance, "", config)


def _rule(
    isvc: InferenceService,
    component: ResolvedComponent,
    entrance: Entrance,
    uri: str,
    config: Config,
) -> Object:
    host = service_host(component.name, isvc.namespace, config.cluster_domain)
    route = [{"destination": {"host": host, "port": {"number": SERVICE_PORT}}}]
    rule = make_rule(
        isvc, component.name, entrance, route, config, timeout_s=component.spec.timeout
    )
    match = entrance.match(uri)
    return {"match": [match], **rule} if match else rule
