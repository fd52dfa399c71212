"""The local gateway as the cluster's DNS: which hosts the processes of this machine reach by it.

Short forms of every cluster-local host, plain Services at their ports, and whatever is outside.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

from rouse.embedded.mesh.translate.names import INGRESS, LOCAL, OUTSIDE, static_cluster
from rouse.embedded.mesh.translate.problems import InvalidFieldError
from rouse.embedded.mesh.translate.resolver import Resolver
from rouse.embedded.mesh.translate.virtualservices import error_body
from rouse.kube.objects import Object, key_of, labels_of

__all__ = ["REVISION_LABEL", "make_service_hosts", "with_cluster_hosts"]

REVISION_LABEL: Final = "serving.knative.dev/revision"

_DOMAIN: Final = ".svc.cluster.local"
_GATEWAYS: Final = frozenset(map(static_cluster, (INGRESS, LOCAL)))
_JSON: Final = [{"header": {"key": "content-type", "value": "application/json"}}]
_NEVER_OUTSIDE: Final = [
    *(f"*{_DOMAIN}", "*.svc", "localhost", "*.localhost"),
    # Else a request for this very listener would come back to it without end.
    *("127.0.0.1", "0.0.0.0", "[::1]", "[::]"),  # noqa: S104 - refused, not bound
]

_TUNNEL: Final[Object] = {
    "match": {"connect_matcher": {}},
    "route": {
        "cluster": static_cluster(LOCAL),
        "timeout": "0s",
        "upgrade_configs": [{"upgrade_type": "CONNECT", "connect_config": {}}],
    },
}
"""gRPC clients ask a proxy for a tunnel to the host: it leads back to this gateway, which routes
what comes through it like any request."""


def make_service_hosts(services: Iterable[Object], resolver: Resolver) -> list[Object]:
    """Make a virtual host for every Service that is not one of Knative's revisions.

    Asks the resolver for their clusters. A port that the Service does not have is 404.
    """
    made = []
    for service in services:
        if REVISION_LABEL in labels_of(service):
            continue
        routes = _service_routes(service, resolver)
        if routes:
            host = f"{'.'.join(reversed(key_of(service)))}{_DOMAIN}"
            made.append({"name": host, "domains": [host], "routes": routes})
    return made


def with_cluster_hosts(claimed: list[Object], services: Iterable[Object]) -> list[Object]:
    """Add Services' hosts, short forms and the way outside to the local gateway's hosts.

    ``claimed`` are those of VirtualServices; they go before.
    """
    taken = {domain for host in claimed for domain in host["domains"]}
    hosts = [*claimed, *(one for one in services if one["name"] not in taken)]
    taken |= {one["name"] for one in hosts}
    made = []
    for host in hosts:
        short = [one for domain in host["domains"] for one in _short(domain) if one not in taken]
        taken.update(short)
        domains, routes = [*host["domains"], *short], [_TUNNEL, *host["routes"]]
        made.append({**host, "domains": domains, "routes": routes})
    never = [domain for domain in _NEVER_OUTSIDE if domain not in taken]
    made.append({"name": "nobody-here", "domains": never, "routes": []})
    if "*" not in taken:
        route = {"match": {"prefix": "/"}, "route": {"cluster": OUTSIDE, "timeout": "0s"}}
        made.append({"name": "outside", "domains": ["*"], "routes": [route]})
    return made


def _short(domain: str) -> Iterator[str]:
    """``iris.default.svc.cluster.local`` -> ``iris.default.svc``, ``iris.default``."""
    bare = domain.removesuffix(_DOMAIN)
    if bare != domain and bare.count(".") == 1 and "*" not in bare:
        yield f"{bare}.svc"
        yield bare


def _service_routes(service: Object, resolver: Resolver) -> list[Object]:
    key = key_of(service)
    spec = service.get("spec") or {}
    numbers = [port["port"] for port in spec.get("ports") or () if "port" in port]
    if spec.get("type") == "ExternalName":
        numbers = numbers or [80]
    routes = []
    for number in numbers:
        destination = {"host": f"{key.name}.{key.namespace}.svc", "port": {"number": number}}
        try:
            cluster = resolver.resolve(destination, "", key.namespace).cluster
        except InvalidFieldError:
            return []
        if cluster in _GATEWAYS:
            return []  # a name for a gateway: without a VirtualService it leads nowhere
        action = {"cluster": cluster, "timeout": "0s"}
        routes += [{"match": match, "route": action} for match in _port_matches(number)]
    return [*routes, _no_such_port(service, numbers)] if routes else []


def _port_matches(number: int) -> Iterator[Object]:
    yield _authority({"suffix": f":{number}"})
    if number == 80:
        yield _authority({"safe_regex": {"regex": "[^:]*"}})


def _authority(string_match: Object) -> Object:
    return {"prefix": "/", "headers": [{"name": ":authority", "string_match": string_match}]}


def _no_such_port(service: Object, numbers: Iterable[int]) -> Object:
    listed = ", ".join(map(str, numbers))
    body = error_body(f"Service {key_of(service)} has no such port; it has {listed}")
    return {
        "match": {"prefix": "/"},
        "direct_response": {"status": 404, "body": body},
        "response_headers_to_add": _JSON,
    }
