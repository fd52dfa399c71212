"""RequestAuthentication and AuthorizationPolicy for the hosts of an InferenceService.

Istio reads policies for the gateway's pods from the namespace of these pods. So they cannot carry
an owner reference to the InferenceService: labels say whose they are, and the controller removes
them (docs/decisions/0013-access.md).
"""

from __future__ import annotations

from collections.abc import Iterable

from rouse.api.base import Object
from rouse.api.inferenceservice.annotations import AUTH, parse_auth
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.config import Config
from rouse.compiler.config.access import JwtIssuer
from rouse.compiler.errors import CompileError
from rouse.compiler.hosts import external_hosts, local_host, public_path
from rouse.compiler.metadata import is_cluster_local
from rouse.compiler.names import MANAGED_BY, SERVICE_LABEL, shorten

__all__ = ["ACCESS_NAMESPACE_LABEL", "make_auth_objects", "wants_jwt"]

ACCESS_NAMESPACE_LABEL = "rouse.dev/inferenceservice-namespace"
"""Of a policy: the namespace of the InferenceService whose hosts it is for."""

_API = "security.istio.io/v1"
_AUTHENTICATION = "rouse-jwt"
_MOST_NAME = 253
_ANYBODY = ["*"]


def wants_jwt(isvc: InferenceService, config: Config) -> bool:
    """Return whether callers need a token. Raises CompileError where none could be checked."""
    text = isvc.annotations.get(AUTH)
    methods = parse_auth(text) if text is not None else (config.auth.default,)
    if "jwt" not in methods:
        return False
    if not config.auth.jwt:
        raise CompileError(
            Reason.INVALID_SPEC,
            f"metadata.annotations[{AUTH}]: jwt needs an issuer, and auth.jwt of ConfigMap "
            "rouse-config has none; add one there, or remove the annotation",
        )
    return True


def make_auth_objects(isvc: InferenceService, config: Config) -> list[Object]:
    """Return the policies, to be applied before any route; empty where everybody may call.

    Raises CompileError for a bad template of hosts, or where no token could be checked.
    """
    if not wants_jwt(isvc, config):
        return []
    operations = list(_operations(isvc, config))
    if not operations:
        return []
    return [_request_authentication(config), _policy(isvc, operations, config)]


def _request_authentication(config: Config) -> Object:
    return {
        "apiVersion": _API,
        "kind": "RequestAuthentication",
        "metadata": {
            "name": _AUTHENTICATION,
            "namespace": config.auth.gateway_namespace,
            "labels": dict(MANAGED_BY),
        },
        "spec": {
            "selector": {"matchLabels": dict(config.auth.gateway_selector)},
            "jwtRules": [_jwt_rule(each) for each in config.auth.jwt],
        },
    }


def _jwt_rule(issuer: JwtIssuer) -> Object:
    rule: Object = {"issuer": issuer.issuer}
    if issuer.jwks:
        rule["jwks"] = issuer.jwks
    else:
        rule["jwksUri"] = issuer.jwks_uri
    if issuer.audiences:
        rule["audiences"] = list(issuer.audiences)
    if issuer.from_headers:
        rule["fromHeaders"] = [
            {"name": each.name, **({"prefix": each.prefix} if each.prefix else {})}
            for each in issuer.from_headers
        ]
    return rule


def _policy(isvc: InferenceService, operations: list[Object], config: Config) -> Object:
    # A namespace has no dot, so that no two InferenceServices share a name.
    name = shorten(f"rouse-jwt-{isvc.namespace}.{isvc.name}", _MOST_NAME)
    labels = {
        **MANAGED_BY,
        SERVICE_LABEL: isvc.name,
        ACCESS_NAMESPACE_LABEL: isvc.namespace,
    }
    # DENY of who has no token, not ALLOW of who has one: a first ALLOW would close every other
    # host of the same gateway.
    return {
        "apiVersion": _API,
        "kind": "AuthorizationPolicy",
        "metadata": {
            "name": name,
            "namespace": config.auth.gateway_namespace,
            "labels": labels,
        },
        "spec": {
            "selector": {"matchLabels": dict(config.auth.gateway_selector)},
            "action": "DENY",
            "rules": [
                {
                    "from": [{"source": {"notRequestPrincipals": _ANYBODY}}],
                    "to": [{"operation": operation} for operation in operations],
                }
            ],
        },
    }


def _operations(isvc: InferenceService, config: Config) -> Iterable[Object]:
    hosts = [local_host(isvc, config)] if config.auth.cluster_local else []
    path = ""
    if not is_cluster_local(isvc):
        hosts += external_hosts(isvc, config)
        path = public_path(isvc, config)
    if hosts:
        yield {"hosts": _with_ports(hosts)}
    if path:
        yield {"hosts": _with_ports([config.domain]), "paths": [path, f"{path}/*"]}


def _with_ports(hosts: Iterable[str]) -> list[str]:
    """Return hosts as policies match them: a port in the Host header must not lead around them."""
    return [form for host in hosts for form in (host, f"{host}:*")]
