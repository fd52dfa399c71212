"""The VirtualService in the mode Standard: hosts and paths lead to the components' Services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rouse.api.base import Object
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.canaries import split_host
from rouse.compiler.component import EXPLAINER, TRANSFORMER, ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.names import service_host
from rouse.compiler.network import make_rule, virtual_service_of
from rouse.compiler.paths import EXPLAIN_PATHS, Entrance, entrances, inner_entrance
from rouse.compiler.standard.service import SERVICE_PORT

__all__ = ["make_routes", "takes_requests"]


def takes_requests(components: Sequence[ResolvedComponent]) -> ResolvedComponent:
    """Return the component that takes all requests but those for explanations."""
    return next((each for each in components if each.component == TRANSFORMER), components[0])


def make_routes(
    isvc: InferenceService,
    components: Sequence[ResolvedComponent],
    shares: Sequence[tuple[str, int]],
    config: Config,
) -> Object:
    """Return the VirtualService. Raises CompileError for a bad template of hosts or paths.

    ``shares`` are the Services that requests for the predictor are shared by, with their percents.
    """
    ways_in = entrances(isvc, config)
    inner = split_host(isvc, config)
    rules = list(_rules(isvc, components, ways_in, shares, config))
    if inner is not None:
        # The first rule that matches counts, and the others may match any host.
        predictor = components[0]
        rules.insert(0, _rule(isvc, predictor, inner_entrance(inner), "", shares, config))
    inner_hosts = [] if inner is None else [inner]
    return virtual_service_of(isvc, ways_in, rules, config, inner_hosts=inner_hosts)


def _rules(
    isvc: InferenceService,
    components: Sequence[ResolvedComponent],
    ways_in: Sequence[Entrance],
    shares: Sequence[tuple[str, int]],
    config: Config,
) -> Iterator[Object]:
    # Istio takes the first rule that matches.
    for explainer in (each for each in components if each.component == EXPLAINER):
        for entrance in ways_in:
            yield _rule(isvc, explainer, entrance, EXPLAIN_PATHS, (), config)
    first = takes_requests(components)
    shared = shares if first is components[0] else ()
    for entrance in ways_in:
        yield _rule(isvc, first, entrance, "", shared, config)


def _rule(
    isvc: InferenceService,
    component: ResolvedComponent,
    entrance: Entrance,
    uri: str,
    shares: Sequence[tuple[str, int]],
    config: Config,
) -> Object:
    """Return the rule; without ``shares`` all requests go to the component's own Service."""
    if len(shares) > 1:
        route = [
            {"destination": _destination(isvc, name, config), "weight": percent}
            for name, percent in shares
        ]
    else:
        [(name, _)] = shares or [(component.name, 100)]
        route = [{"destination": _destination(isvc, name, config)}]
    rule = make_rule(
        isvc, component.name, entrance, route, config, timeout_s=component.spec.timeout
    )
    match = entrance.match(uri)
    return {"match": [match], **rule} if match else rule


def _destination(isvc: InferenceService, service: str, config: Config) -> Object:
    host = service_host(service, isvc.namespace, config.cluster_domain)
    return {"host": host, "port": {"number": SERVICE_PORT}}
