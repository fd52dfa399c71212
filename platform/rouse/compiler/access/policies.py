"""RequestAuthentication and AuthorizationPolicy for the hosts of an InferenceService.

Istio reads policies for the gateway's pods from the namespace of these pods. So they cannot carry
an owner reference to the InferenceService: labels say whose they are, and the controller removes
them (docs/decisions/0013-access.md).
"""

from __future__ import annotations

from collections.abc import Iterable

from rouse.api.apikeys import NAME_HEADER, default_secret
from rouse.api.base import Object
from rouse.api.inferenceservice.annotations import API_KEYS, AUTH, parse_auth
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.compiler.config import Config
from rouse.compiler.config.access import JwtIssuer
from rouse.compiler.errors import CompileError
from rouse.compiler.hosts import external_hosts, local_host, public_path
from rouse.compiler.metadata import is_cluster_local
from rouse.compiler.names import (
    ACCESS_NAMESPACE_LABEL,
    MANAGED_BY,
    TOKENS_TOO,
    owner_label,
    shorten,
)
from rouse.compiler.owner import Owner

__all__ = ["make_auth_objects", "methods_of"]

_API = "security.istio.io/v1"
_AUTHENTICATION = "rouse-jwt"
_MOST_NAME = 253
_ANYBODY = ["*"]
_PREFIXES = {"InferenceService": "rouse", "InferenceGraph": "rouse-graph"}
_METHODS = frozenset({"api-key", "jwt", "none"})


def methods_of(owner: Owner, config: Config) -> frozenset[str]:
    """Return what opens it: ``jwt``, ``api-key``, either, or nothing where everybody may call.

    Raises CompileError for an unknown method, and where a token is asked for and none could be
    checked.
    """
    text = owner.annotations.get(AUTH)
    if text is not None:
        methods = frozenset(parse_auth(text))
    else:
        methods = frozenset({"api-key" if API_KEYS in owner.annotations else config.auth.default})
    if unknown := methods - _METHODS:
        # Admission refuses it; where it was not asked, a slip must not leave the model open.
        words = ", ".join(sorted(f'"{one}"' for one in unknown))
        raise CompileError(
            Reason.INVALID_SPEC,
            f"metadata.annotations[{AUTH}]: {words} is unknown; allowed: api-key, jwt, none",
        )
    if "jwt" in methods and not config.auth.jwt:
        raise CompileError(
            Reason.INVALID_SPEC,
            f"metadata.annotations[{AUTH}]: jwt needs an issuer, and auth.jwt of ConfigMap "
            "rouse-config has none; add one there, or remove the annotation",
        )
    return methods - {"none"}


def make_auth_objects(owner: Owner, config: Config) -> list[Object]:
    """Return the policies, to be applied before any route; empty where everybody may call.

    Raises CompileError for a bad template of hosts, or where no token could be checked.
    """
    methods = methods_of(owner, config)
    operations = list(_operations(owner, config)) if methods else []
    if not operations:
        return []
    objects: list[Object] = []
    if "api-key" in methods:
        objects.append(_keys_policy(owner, operations, config, tokens_too="jwt" in methods))
    if "jwt" in methods:
        objects.append(_request_authentication(config))
        objects.append(_tokens_policy(owner, operations, config, keys_too="api-key" in methods))
    return objects


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


def _keys_policy(
    owner: Owner, operations: list[Object], config: Config, *, tokens_too: bool
) -> Object:
    """Let the authorizer decide; it reads here whose host it is, and where the keys are."""
    settings = config.auth.api_keys
    secret = owner.annotations.get(API_KEYS) or settings.secret or default_secret(owner.name)
    policy = _policy("api-key", owner, config)
    policy["metadata"]["annotations"] = {
        API_KEYS: secret,
        **({TOKENS_TOO: "true"} if tokens_too else {}),
    }
    policy["spec"] |= {
        "action": "CUSTOM",
        "provider": {"name": settings.provider},
        "rules": [{"to": _to(operations)}],
    }
    return policy


def _tokens_policy(
    owner: Owner, operations: list[Object], config: Config, *, keys_too: bool
) -> Object:
    # DENY of who has no token, not ALLOW of who has one: a first ALLOW would close every other
    # host of the same gateway.
    rule: Object = {
        "from": [{"source": {"notRequestPrincipals": _ANYBODY}}],
        "to": _to(_but_tcp(operations, config)),
    }
    if keys_too:
        # The authorizer was asked before: only it can have put a name there.
        key_name = f"request.headers[{NAME_HEADER}]"
        rule["when"] = [{"key": key_name, "notValues": _ANYBODY}]
    policy = _policy("jwt", owner, config)
    policy["spec"] |= {"action": "DENY", "rules": [rule]}
    return policy


def _policy(method: str, owner: Owner, config: Config) -> Object:
    labels = {
        **MANAGED_BY,
        owner_label(owner.kind): owner.name,
        ACCESS_NAMESPACE_LABEL: owner.namespace,
    }
    return {
        "apiVersion": _API,
        "kind": "AuthorizationPolicy",
        "metadata": {
            # A namespace has no dot, so that no two of a kind share a name.
            "name": shorten(
                f"{_PREFIXES[owner.kind]}-{method}-{owner.namespace}.{owner.name}", _MOST_NAME
            ),
            "namespace": config.auth.gateway_namespace,
            "labels": labels,
        },
        "spec": {"selector": {"matchLabels": dict(config.auth.gateway_selector)}},
    }


def _to(operations: list[Object]) -> list[Object]:
    return [{"operation": operation} for operation in operations]


def _but_tcp(operations: list[Object], config: Config) -> list[Object]:
    """Except the ports without HTTP: of a DENY Istio drops there what only HTTP has, hosts too.

    ``notPorts``, so that a port that is wrong here leaves no host of the others open.
    """
    ports = [str(port) for port in config.auth.gateway_tcp_ports]
    return [{**operation, "notPorts": ports} for operation in operations] if ports else operations


def _operations(owner: Owner, config: Config) -> Iterable[Object]:
    hosts = [local_host(owner, config)] if config.auth.cluster_local else []
    path = ""
    if not is_cluster_local(owner):
        hosts += external_hosts(owner, config)
        path = public_path(owner, config)
    if hosts:
        yield {"hosts": _with_ports(hosts)}
    if path:
        yield {"hosts": _with_ports([config.domain]), "paths": [path, f"{path}/*"]}


def _with_ports(hosts: Iterable[str]) -> list[str]:
    """Return hosts as policies match them: a port in the Host header must not lead around them."""
    return [form for host in hosts for form in (host, f"{host}:*")]
