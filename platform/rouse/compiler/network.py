"""How requests come to an InferenceService: its VirtualService and its name in the cluster."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from rouse.api.base import Object
from rouse.compiler.access import make_auth_objects, methods_of
from rouse.compiler.config import Config
from rouse.compiler.gateway import make_certificate, make_tls_gateway
from rouse.compiler.hosts import external_hosts, local_host
from rouse.compiler.lineage import LINEAGE_HEADER, Way
from rouse.compiler.metadata import is_cluster_local, make_metadata
from rouse.compiler.names import revision_host, service_host
from rouse.compiler.owner import Owner
from rouse.compiler.paths import EXPLAIN_PATHS, Entrance, attachment, entrances

__all__ = [
    "Door",
    "keep_virtual_service",
    "make_access",
    "make_alias",
    "make_rule",
    "make_tls_objects",
    "make_virtual_service",
    "virtual_service_of",
]

_PORT = 80


@dataclass(frozen=True, slots=True)
class Door:
    """A component that takes requests from outside, and the ways they go from there."""

    name: str
    """Of the component's Service."""
    ways: tuple[Way, ...]
    canary: Way | None
    """Where requests go that ask for the canary."""
    timeout_s: int | None = None
    explains: bool = False
    """Whether it takes only the requests for explanations."""
    has_lineage: bool = False
    """Whether it calls the predictor, and must know which one belongs to it."""
    shadow: str = ""
    """The revision that gets copies of the requests."""
    shadow_percent: int = 0


def make_access(owner: Owner, config: Config) -> list[Object]:
    """Return what the VirtualService's hosts need first: policies, an address, HTTPS if wanted."""
    return [
        *make_auth_objects(owner, config),
        make_alias(owner, owner.name, config),
        *make_tls_objects(owner, config),
    ]


def make_tls_objects(owner: Owner, config: Config) -> list[Object]:
    """Return what HTTPS needs, which all share. Raises CompileError for a host not certified."""
    if is_cluster_local(owner):
        return []
    certificate = make_certificate(external_hosts(owner, config), config)
    return [each for each in (certificate, make_tls_gateway(config)) if each is not None]


def make_alias(owner: Owner, name: str, config: Config) -> Object:
    """Return the Service that gives a cluster-local host an address: the local gateway's."""
    return {
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": make_metadata(owner, name),
        "spec": {"type": "ExternalName", "externalName": config.local_gateway_service},
    }


def make_virtual_service(
    owner: Owner,
    doors: Iterable[Door],
    overrides: Sequence[Object],
    config: Config,
) -> Object:
    """Return the VirtualService that shares the requests between revisions.

    ``overrides`` are the matches of the requests that ask for the canary. The first door that
    takes a request gets it.
    """
    ways_in = entrances(owner, config)
    http = [
        rule
        for door in doors
        for entrance in ways_in
        for rule in _rules(owner, door, entrance, overrides, config)
    ]
    return virtual_service_of(owner, ways_in, http, config)


def virtual_service_of(
    owner: Owner,
    ways_in: Iterable[Entrance],
    http: Sequence[Object],
    config: Config,
    *,
    inner_hosts: Sequence[str] = (),
) -> Object:
    """Return the VirtualService with these rules. Raises CompileError for a bad template.

    ``inner_hosts`` are hosts beside the service's own, for requests between its components.
    """
    hosts, gateways = attachment(owner, ways_in, config)
    hosts = [*hosts, *inner_hosts]
    closed = _closed([local_host(owner, config), *inner_hosts], owner, config)
    rules = [*closed, *http]
    return _virtual_service(owner, {"hosts": hosts, "gateways": gateways, "http": rules})


def _closed(inside: Sequence[str], owner: Owner, config: Config) -> list[Object]:
    """Return the rule that keeps the hosts of the inside from leading around who asks outside.

    Anybody can send them to the gateway of the outside, and policies do not name them.
    """
    if is_cluster_local(owner) or not methods_of(owner, config):
        return []
    # Envoy finds a host in any case of letters, and compares this with what was sent.
    pattern = f"(?i)^({'|'.join(map(re.escape, inside))})(:.*)?$"
    match = {"authority": {"regex": pattern}, "gateways": config.outside_gateways}
    return [{"match": [match], "directResponse": {"status": 404}}]


def make_rule(
    owner: Owner,
    service: str,
    entrance: Entrance,
    route: Sequence[Object],
    config: Config,
    *,
    timeout_s: int | None = None,
) -> Object:
    """Return the rule, still without a match, that leads requests to a component's Service."""
    headers = {"Host": service_host(service, owner.namespace, config.cluster_domain)}
    if owner.kind == "InferenceService":
        headers |= {"KServe-Isvc-Name": owner.name, "KServe-Isvc-Namespace": owner.namespace}
    rule: Object = {
        "headers": {"request": {"set": headers}},
        "route": list(route),
        **entrance.rewrite,
    }
    if timeout_s:
        rule["timeout"] = f"{timeout_s}s"
    return rule


def keep_virtual_service(owner: Owner, live: Mapping[str, Any], config: Config) -> Object:
    """Return the live VirtualService as the wanted one: nothing better is ready yet.

    Who asks for tokens or keys by now is closed all the same.
    """
    closed = _closed([local_host(owner, config)], owner, config)
    kept = [rule for rule in live["spec"].get("http") or () if rule not in closed]
    return _virtual_service(owner, {**live["spec"], "http": [*closed, *kept]})


def _virtual_service(owner: Owner, spec: Object) -> Object:
    return {
        "apiVersion": "networking.istio.io/v1",
        "kind": "VirtualService",
        "metadata": make_metadata(owner, owner.name),
        "spec": spec,
    }


def _rules(
    owner: Owner,
    door: Door,
    entrance: Entrance,
    overrides: Sequence[Object],
    config: Config,
) -> Iterable[Object]:
    match = entrance.match(EXPLAIN_PATHS if door.explains else "")
    if door.canary is not None and overrides:
        both = [{**match, **override} for override in overrides]
        yield {"match": both, **_rule(owner, door, entrance, (door.canary,), config)}
    rule = _rule(owner, door, entrance, door.ways, config)
    if door.shadow and door.shadow_percent:
        rule["mirror"] = _destination(door.shadow, owner.namespace, config)
        rule["mirrorPercentage"] = {"value": float(door.shadow_percent)}
    yield {"match": [match], **rule} if match else rule


def _rule(
    owner: Owner, door: Door, entrance: Entrance, ways: Sequence[Way], config: Config
) -> Object:
    route = [_weighted(door, way, owner.namespace, config) for way in ways]
    return make_rule(owner, door.name, entrance, route, config, timeout_s=door.timeout_s)


def _weighted(door: Door, way: Way, namespace: str, config: Config) -> Object:
    # Knative's activator knows a revision by these headers, not by the host it was called by.
    headers = {"Knative-Serving-Namespace": namespace, "Knative-Serving-Revision": way.entry}
    if door.has_lineage:
        # Also where there is one way only: a client's own header must not get through.
        headers[LINEAGE_HEADER] = way.lineage
    return {
        "destination": _destination(way.entry, namespace, config),
        "headers": {"request": {"set": headers}},
        "weight": way.percent,
    }


def _destination(revision: str, namespace: str, config: Config) -> Object:
    host = revision_host(revision, namespace, config.cluster_domain)
    return {"host": host, "port": {"number": _PORT}}
