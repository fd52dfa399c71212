"""One VirtualService -> the Envoy routes of its hosts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import orjson

from rouse.embedded.mesh.translate.actions import Resolve, make_action
from rouse.embedded.mesh.translate.matches import Match, make_matches
from rouse.embedded.mesh.translate.names import is_hostname
from rouse.embedded.mesh.translate.problems import (
    INVALID,
    UNSUPPORTED,
    Finding,
    InvalidFieldError,
)
from rouse.kube.objects import Object, key_of

__all__ = ["HostRoutes", "RouteEntry", "error_body", "make_host_routes"]


@dataclass(frozen=True, slots=True)
class RouteEntry:
    """One Envoy route and the match it came from."""

    match: Match
    envoy: Object


@dataclass(frozen=True, slots=True)
class HostRoutes:
    """What a VirtualService asks for: hosts, gateways (as written), routes in order."""

    hosts: tuple[str, ...]
    gateways: tuple[str, ...]
    entries: tuple[RouteEntry, ...]
    findings: tuple[Finding, ...] = ()


def make_host_routes(virtual_service: Object, resolve: Resolve) -> HostRoutes:
    """Translate a VirtualService; a rule that is wrong answers 500 and says why."""
    spec = virtual_service.get("spec") or {}
    findings: list[Finding] = []
    key = key_of(virtual_service)

    def report(reason: str, message: str) -> None:
        findings.append(Finding("VirtualService", key, reason, message))

    hosts = []
    for i, host in enumerate(spec.get("hosts") or ()):
        if isinstance(host, str) and is_hostname(host.lower()):
            hosts.append(host.lower())
        else:
            report(INVALID, f'spec.hosts[{i}]: "{host}" is not a host name; it is left out')
    for protocol in ("tcp", "tls"):
        if spec.get(protocol):
            report(UNSUPPORTED, f"spec.{protocol}: the embedded mesh routes HTTP only")
    entries: list[RouteEntry] = []
    for i, rule in enumerate(spec.get("http") or ()):
        path = f"spec.http[{i}]"
        try:
            entries += _entries(rule, path, resolve, virtual_service, report)
        except InvalidFieldError as error:
            report(INVALID, f"{error}; the rule is left out")
    gateways = tuple(spec.get("gateways") or ("mesh",))
    return HostRoutes(tuple(dict.fromkeys(hosts)), gateways, tuple(entries), tuple(findings))


def error_body(message: str) -> Object:
    """Return the body of a direct response that says what is wrong, as JSON."""
    return {"inline_string": orjson.dumps({"error": message}).decode()}


def _entries(
    rule: Any, path: str, resolve: Resolve, virtual_service: Object, report: Any
) -> list[RouteEntry]:
    if not isinstance(rule, dict):
        raise InvalidFieldError(path, "must be an object")
    matches = make_matches(rule, path)
    try:
        action = make_action(rule, path, resolve)
    except InvalidFieldError as error:
        # To skip the rule would send its requests to a later rule, perhaps another model.
        report(INVALID, f"{error}; requests that match the rule get 500")
        message = f"VirtualService {key_of(virtual_service)}: {error}"
        action = {
            "direct_response": {"status": 500, "body": error_body(message)},
            "response_headers_to_add": [
                {"header": {"key": "content-type", "value": "application/json"}}
            ],
        }
    return [RouteEntry(match, {"match": match.envoy, **action}) for match in matches]
