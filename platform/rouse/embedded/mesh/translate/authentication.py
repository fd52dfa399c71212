"""RequestAuthentication -> the providers of Envoy's JWT filter, as Istio makes them.

A request without a token passes; one with a token that is not valid is answered 401, on every host
of the gateway. Who must have a token is for the AuthorizationPolicy to say.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import Any, Final
from urllib.parse import urlsplit

from rouse.embedded.mesh.translate.clusters import make_dns_cluster
from rouse.embedded.mesh.translate.envoy import typed
from rouse.embedded.mesh.translate.names import cluster_name
from rouse.embedded.mesh.translate.problems import INVALID, Finding, InvalidFieldError
from rouse.kube.objects import Object, key_of

__all__ = ["PAYLOAD", "Authentication", "make_authentication"]

PAYLOAD: Final = "payload"
"""Where, in its metadata, the filter leaves the claims of a token."""

_FETCH: Final = "5s"
_KEPT: Final = "300s"
_KNOWN: Final = frozenset(
    {
        "issuer",
        "audiences",
        "jwks",
        "jwksUri",
        "fromHeaders",
        "fromParams",
        "forwardOriginalToken",
    }
)
_SYSTEM_ROOTS: Final = "/etc/ssl/certs/ca-certificates.crt"


@dataclass(frozen=True, slots=True)
class Authentication:
    """The filter's configuration, and the clusters that key sets are fetched from."""

    filter: Object
    clusters: Mapping[str, Object] = field(default_factory=dict)
    findings: tuple[Finding, ...] = ()


def make_authentication(objects: Iterable[Object]) -> Authentication:
    """Translate the RequestAuthentications of the gateway; a wrong rule is left out and told."""
    providers: dict[str, Object] = {}
    clusters: dict[str, Object] = {}
    findings: list[Finding] = []
    for obj in objects:
        for index, rule in enumerate((obj.get("spec") or {}).get("jwtRules") or ()):
            path = f"spec.jwtRules[{index}]"
            try:
                provider, cluster = _provider(rule, path)
            except InvalidFieldError as error:
                findings.append(Finding("RequestAuthentication", key_of(obj), INVALID, str(error)))
                continue
            providers[f"provider-{len(providers)}"] = provider
            if cluster is not None:
                clusters[cluster["name"]] = cluster
    config: Object = {}
    if providers:
        names = [{"provider_name": name} for name in providers]
        optional: Object = {"allow_missing": {}}
        config = {
            "providers": providers,
            "rules": [
                {
                    "match": {"prefix": "/"},
                    "requires": {"requires_any": {"requirements": [*names, optional]}},
                }
            ],
        }
    made = typed("envoy.extensions.filters.http.jwt_authn.v3.JwtAuthentication", config)
    return Authentication(made, clusters, tuple(findings))


def _provider(rule: Mapping[str, Any], path: str) -> tuple[Object, Object | None]:
    for name in sorted(rule.keys() - _KNOWN):
        raise InvalidFieldError(f"{path}.{name}", "is not supported by the embedded engine")
    if not rule.get("issuer"):
        raise InvalidFieldError(f"{path}.issuer", "must not be empty")
    provider: Object = {
        "issuer": rule["issuer"],
        "payload_in_metadata": PAYLOAD,
        "forward": bool(rule.get("forwardOriginalToken")),
    }
    if rule.get("audiences"):
        provider["audiences"] = list(rule["audiences"])
    if headers := list(_headers(rule)):
        provider["from_headers"] = headers
    if rule.get("fromParams"):
        provider["from_params"] = list(rule["fromParams"])
    if rule.get("jwks"):
        return {**provider, "local_jwks": {"inline_string": rule["jwks"]}}, None
    if not rule.get("jwksUri"):
        raise InvalidFieldError(path, "needs jwks or jwksUri")
    cluster = _key_server(rule["jwksUri"], f"{path}.jwksUri")
    uri = {"uri": rule["jwksUri"], "cluster": cluster["name"], "timeout": _FETCH}
    return {**provider, "remote_jwks": {"http_uri": uri, "cache_duration": _KEPT}}, cluster


def _headers(rule: Mapping[str, Any]) -> Iterator[Object]:
    for each in rule.get("fromHeaders") or ():
        yield {"name": each["name"], "value_prefix": each.get("prefix", "")}


def _key_server(uri: str, path: str) -> Object:
    url = urlsplit(uri)
    if url.scheme not in ("http", "https") or not url.hostname:
        raise InvalidFieldError(path, f'"{uri}" is no http or https URL')
    port = url.port or (443 if url.scheme == "https" else 80)
    cluster = make_dns_cluster(cluster_name(url.hostname, port, "jwks"), url.hostname, port)
    if url.scheme == "https":
        validation = {
            "trusted_ca": {"filename": _SYSTEM_ROOTS},
            "match_typed_subject_alt_names": [
                {"san_type": "DNS", "matcher": {"exact": url.hostname}}
            ],
        }
        cluster["transport_socket"] = {
            "name": "envoy.transport_sockets.tls",
            "typed_config": typed(
                "envoy.extensions.transport_sockets.tls.v3.UpstreamTlsContext",
                {"sni": url.hostname, "common_tls_context": {"validation_context": validation}},
            ),
        }
    return cluster
