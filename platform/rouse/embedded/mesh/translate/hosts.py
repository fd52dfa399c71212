"""The virtual hosts of each listener: who answers for which host name."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

from rouse.embedded.mesh.translate.gateways import Attachment, GatewayTable
from rouse.embedded.mesh.translate.names import INGRESS, LOCAL
from rouse.embedded.mesh.translate.problems import CONFLICTING_HOST, UNKNOWN_GATEWAY, Finding
from rouse.embedded.mesh.translate.virtualservices import HostRoutes, RouteEntry, error_body
from rouse.kube.objects import Key, Object

__all__ = ["make_virtual_hosts"]

_JSON = [{"header": {"key": "content-type", "value": "application/json"}}]


@dataclass(slots=True)
class _Claim:
    """The routes one VirtualService brings to one host of one listener."""

    owner: Key
    routes: list[Object] = field(default_factory=list)
    takes_all: bool = False


def make_virtual_hosts(
    listed: Iterable[tuple[Key, HostRoutes]], gateways: GatewayTable
) -> tuple[Mapping[str, list[Object]], list[Finding]]:
    """Return the virtual hosts per listener. ``listed`` is in order of precedence."""
    claims: dict[str, dict[str, list[_Claim]]] = {INGRESS: {}, LOCAL: {}}
    findings: list[Finding] = []
    for key, wanted in listed:
        findings += _claim(key, wanted, gateways, claims)
    return {listener: _virtual_hosts(hosts) for listener, hosts in claims.items()}, findings


def _claim(
    key: Key,
    wanted: HostRoutes,
    gateways: GatewayTable,
    claims: dict[str, dict[str, list[_Claim]]],
) -> list[Finding]:
    findings = []
    attached: dict[str, list[tuple[str, Attachment]]] = defaultdict(list)
    for reference in wanted.gateways:
        servers = gateways.find(reference, key.namespace)
        if servers is None:
            message = f'spec.gateways: there is no Gateway "{reference}"'
            findings.append(Finding("VirtualService", key, UNKNOWN_GATEWAY, message))
        for server in servers or ():
            attached[server.listener].append((reference, server))
    for listener, servers_here in attached.items():
        for host in wanted.hosts:
            claim = _claim_of(key, wanted, host, servers_here)
            if claim is None:
                continue
            before = claims[listener].setdefault(host, [])
            if before:
                owners = ", ".join(str(one.owner) for one in before)
                message = f"host {host} is also claimed by the older {owners}, which goes first"
                findings.append(Finding("VirtualService", key, CONFLICTING_HOST, message))
            before.append(claim)
    return findings


def _claim_of(
    key: Key, wanted: HostRoutes, host: str, servers: list[tuple[str, Attachment]]
) -> _Claim | None:
    admitting = [(reference, server) for reference, server in servers if server.admits(host)]
    if not admitting:
        return None
    claim = _Claim(key)
    for entry in wanted.entries:
        if _applies(entry, admitting):
            claim.routes.append(entry.envoy)
            claim.takes_all = claim.takes_all or entry.match.envoy == {"prefix": "/"}
    return claim


def _applies(entry: RouteEntry, servers: list[tuple[str, Attachment]]) -> bool:
    match = entry.match
    return any(
        (not match.gateways or reference in match.gateways) and match.port in (None, server.port)
        for reference, server in servers
    )


def _virtual_hosts(hosts: Mapping[str, list[_Claim]]) -> list[Object]:
    """Make one virtual host per set of claims, so that hosts of one object share it."""
    shared: dict[tuple[tuple[Key, int], ...], list[str]] = defaultdict(list)
    for host, claims in hosts.items():
        shared[tuple((one.owner, len(one.routes)) for one in claims)].append(host)
    made = []
    for domains in shared.values():
        claims = hosts[domains[0]]
        made.append({"name": domains[0], "domains": domains, "routes": _merged(claims, domains[0])})
    return made


def _merged(claims: list[_Claim], host: str) -> list[Object]:
    """Join claims: routes for all requests come after all narrower ones, as in Istio."""
    routes = [route for claim in claims for route in claim.routes]
    if len(claims) > 1:
        routes.sort(key=lambda route: bool(route["match"] == {"prefix": "/"}))
    if not any(claim.takes_all for claim in claims):
        owners = ", ".join(str(claim.owner) for claim in claims)
        message = f"no rule of VirtualService {owners} takes this path of {host}"
        missing = {"status": 404, "body": error_body(message)}
        routes.append(
            {
                "match": {"prefix": "/"},
                "direct_response": missing,
                "response_headers_to_add": _JSON,
            }
        )
    return routes
