"""The VirtualService in the mode Standard: hosts and paths lead to the components' Services."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from rouse.api.base import Object
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.component import EXPLAINER, TRANSFORMER, ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.hosts import external_hosts, local_host
from rouse.compiler.metadata import is_cluster_local, make_metadata
from rouse.compiler.names import service_host
from rouse.compiler.paths import Entrance, entrances
from rouse.compiler.standard.service import SERVICE_PORT

__all__ = ["make_routes", "takes_requests"]

_EXPLAIN = r"/v[12]/models/[^/]+(:explain|/explain)"


def takes_requests(components: Sequence[ResolvedComponent]) -> ResolvedComponent:
    """Return the component that takes all requests but those for explanations."""
    return next((each for each in components if each.component == TRANSFORMER), components[0])


def make_routes(
    isvc: InferenceService, components: Sequence[ResolvedComponent], config: Config
) -> Object:
    """Return the VirtualService. Raises CompileError for a bad template of hosts or paths."""
    ways_in = entrances(isvc, config)
    hosts, gateways = [local_host(isvc, config)], [config.local_gateway]
    if not is_cluster_local(isvc):
        shared = [each.host for each in ways_in if each.host]
        hosts = list(dict.fromkeys([*hosts, *external_hosts(isvc, config), *shared]))
        gateways += [config.ingress_gateway, *([config.tls_gateway] if config.tls_gateway else [])]
    http = list(_rules(isvc, components, ways_in, config))
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": make_metadata(isvc, isvc.name),
        "spec": {"hosts": hosts, "gateways": gateways, "http": http},
    }


def _rules(
    isvc: InferenceService,
    components: Sequence[ResolvedComponent],
    ways_in: Sequence[Entrance],
    config: Config,
) -> Iterator[Object]:
    # Istio takes the first rule that matches.
    for explainer in (each for each in components if each.component == EXPLAINER):
        for entrance in ways_in:
            yield _rule(isvc, explainer, entrance, _EXPLAIN, config)
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
    headers = {
        "Host": host,
        "KServe-Isvc-Name": isvc.name,
        "KServe-Isvc-Namespace": isvc.namespace,
    }
    rule: Object = {
        "headers": {"request": {"set": headers}},
        "route": [{"destination": {"host": host, "port": {"number": SERVICE_PORT}}}],
        **entrance.rewrite,
    }
    if component.spec.timeout:
        rule["timeout"] = f"{component.spec.timeout}s"
    match = entrance.match(uri)
    return {"match": [match], **rule} if match else rule
