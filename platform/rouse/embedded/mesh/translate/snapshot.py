"""All objects -> everything Envoy is told: clusters, endpoints, virtual hosts."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Final, Protocol

from rouse.embedded.mesh.translate.access import make_access
from rouse.embedded.mesh.translate.actions import Destination
from rouse.embedded.mesh.translate.clusterdns import (
    REVISION_LABEL,
    make_service_hosts,
    with_cluster_hosts,
)
from rouse.embedded.mesh.translate.clusters import make_cluster, make_dns_cluster
from rouse.embedded.mesh.translate.endpoints import Endpoint, endpoints_of, port_of, wants_http2
from rouse.embedded.mesh.translate.gateways import GatewayTable
from rouse.embedded.mesh.translate.hosts import make_virtual_hosts
from rouse.embedded.mesh.translate.names import LOCAL
from rouse.embedded.mesh.translate.problems import INVALID, Finding, InvalidFieldError
from rouse.embedded.mesh.translate.resolver import ClusterSource, Resolver
from rouse.embedded.mesh.translate.rules import Rules, age_order
from rouse.embedded.mesh.translate.virtualservices import HostRoutes, make_host_routes
from rouse.kube.objects import Key, Object, key_of, labels_of

__all__ = ["ObjectSource", "Snapshot", "Translator"]

_SERVICE_TYPE_LABEL: Final = "networking.internal.knative.dev/serviceType"


class ObjectSource(Protocol):
    """The objects to translate. An object that changed is another dict, never the same."""

    def get(self, kind: str, key: Key) -> Object | None:
        """Return one object."""

    def all(self, kind: str) -> Iterable[Object]:
        """Return all objects of a kind."""

    def slices_of(self, service: Key) -> Iterable[Object]:
        """Return the EndpointSlices of a Service."""


@dataclass(frozen=True, slots=True)
class Snapshot:
    """What Envoy shall do; ``virtual_hosts`` by listener, the others by cluster name."""

    clusters: Mapping[str, Object]
    endpoints: Mapping[str, frozenset[Endpoint]]
    virtual_hosts: Mapping[str, list[Object]]
    findings: tuple[Finding, ...] = ()
    policies: Mapping[str, Object] = field(default_factory=dict)
    """The filters that decide who may call, by name."""


@dataclass(frozen=True, slots=True)
class _Routed:
    """A translated VirtualService and the lookups it depends on."""

    virtual_service: Object
    lookups: tuple[tuple[Object | None, str, Destination], ...]
    routes: HostRoutes


@dataclass(frozen=True, slots=True)
class _Made:
    """A cluster and the objects it was made from."""

    service: Object | None
    rule: Object | None
    cluster: Object
    findings: tuple[Finding, ...]


class Translator:
    """Translates, reusing what its last result says of objects that did not change.

    The result depends on the objects alone, never on earlier calls.
    """

    def __init__(self) -> None:
        self._routed: dict[Key, _Routed] = {}
        self._made: dict[str, _Made] = {}
        self._sources: dict[Key, list[ClusterSource]] = {}

    def translate(self, objects: ObjectSource) -> Snapshot:
        """Make the snapshot of these objects."""
        gateways = GatewayTable(objects.all("Gateway"))
        rules = Rules(objects.all("DestinationRule"))
        resolver = Resolver(objects, rules)
        for key, number in _revision_ports(objects, rules):
            resolver.need(key, number)
        findings = [*gateways.findings, *rules.findings]
        routed = {}
        for virtual_service in sorted(objects.all("VirtualService"), key=age_order):
            key = key_of(virtual_service)
            routed[key] = self._route(key, virtual_service, resolver)
            findings += routed[key].routes.findings
        self._routed = routed
        hosts, conflicts = make_virtual_hosts(
            ((key, one.routes) for key, one in routed.items()), gateways
        )
        services = make_service_hosts(objects.all("Service"), resolver)
        hosts = {**hosts, LOCAL: with_cluster_hosts(hosts[LOCAL], services)}
        self._made = {
            name: self._make(source, objects, rules) for name, source in resolver.sources.items()
        }
        self._sources = {}
        for name, source in resolver.sources.items():
            findings += self._made[name].findings
            if source.service is not None:
                self._sources.setdefault(source.service, []).append(source)
        access = make_access(objects)
        return Snapshot(
            clusters={
                **access.clusters,
                **{name: made.cluster for name, made in self._made.items()},
            },
            endpoints=self.all_endpoints(objects),
            virtual_hosts=hosts,
            findings=(*findings, *conflicts, *access.findings),
            policies=access.filters,
        )

    def clusters_of(self, service: Key) -> list[str]:
        """Return the clusters of a Service in the last snapshot."""
        return [source.name for source in self._sources.get(service, ())]

    def endpoints_of(self, service: Key, objects: ObjectSource) -> dict[str, frozenset[Endpoint]]:
        """Read again the endpoints of one Service's clusters of the last snapshot."""
        sources = self._sources.get(service, ())
        return {source.name: self._endpoints(source, objects) for source in sources}

    def all_endpoints(self, objects: ObjectSource) -> dict[str, frozenset[Endpoint]]:
        """Read again the endpoints of every cluster of the last snapshot."""
        listed = (source for sources in self._sources.values() for source in sources)
        return {source.name: self._endpoints(source, objects) for source in listed}

    def _endpoints(self, source: ClusterSource, objects: ObjectSource) -> frozenset[Endpoint]:
        if source.service is None:
            return frozenset()
        port = port_of(objects.get("Service", source.service), source.port)
        return endpoints_of(port, objects.slices_of(source.service))

    def _route(self, key: Key, virtual_service: Object, resolver: Resolver) -> _Routed:
        before = self._routed.get(key)
        unchanged = before is not None and before.virtual_service is virtual_service
        if before is not None and unchanged and _still_true(before, key.namespace, resolver):
            return before
        lookups: list[tuple[Object | None, str, Destination]] = []

        def resolve(destination: Object | None, path: str) -> Destination:
            found = resolver.resolve(destination, path, key.namespace)
            lookups.append((destination, path, found))
            return found

        routes = make_host_routes(virtual_service, resolve)
        return _Routed(virtual_service, tuple(lookups), routes)

    def _make(self, source: ClusterSource, objects: ObjectSource, rules: Rules) -> _Made:
        if source.service is None:
            outside = make_dns_cluster(source.name, source.external_host, source.port)
            return _Made(None, None, outside, ())
        service = objects.get("Service", source.service)
        rule = rules.get(source.service)
        before = self._made.get(source.name)
        if before is not None and before.service is service and before.rule is rule:
            return before
        http2 = wants_http2(port_of(service, source.port))
        policy = rules.policy_of(source.service, source.port)
        try:
            cluster = make_cluster(
                source.name,
                policy,
                http2=http2,
                path="spec.trafficPolicy",
                per_replica=service is not None and is_private(service),
            )
        except InvalidFieldError as error:
            cluster = make_cluster(source.name, {}, http2=http2)
            message = f"{error}; the rule is not applied"
            owner = source.service if rule is None else key_of(rule)
            return _Made(
                service, rule, cluster, (Finding("DestinationRule", owner, INVALID, message),)
            )
        return _Made(service, rule, cluster, ())


def _still_true(routed: _Routed, namespace: str, resolver: Resolver) -> bool:
    """Whether every lookup still gives what it gave; also tells the resolver what is needed."""
    try:
        return not routed.routes.findings and all(
            resolver.resolve(destination, path, namespace) == found
            for destination, path, found in routed.lookups
        )
    except InvalidFieldError:
        return False


def is_private(service: Object) -> bool:
    """Whether it is the Service of a revision that always leads to the replicas."""
    return labels_of(service).get(_SERVICE_TYPE_LABEL) == "Private"


def _revision_ports(objects: ObjectSource, rules: Rules) -> Iterator[tuple[Key, int]]:
    """Find the Services of Knative revisions: their clusters are there before any route is."""
    for service in objects.all("Service"):
        labels = labels_of(service)
        if REVISION_LABEL not in labels:
            continue
        if is_private(service) and rules.get(key_of(service)) is None:
            continue  # only the activator sends requests there, and only where there is a limit
        for port in (service.get("spec") or {}).get("ports") or ():
            if isinstance(number := port.get("port"), int):
                yield key_of(service), number
