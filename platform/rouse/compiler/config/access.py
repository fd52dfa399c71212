"""The settings of who may call: issuers of tokens, and the gateway that checks them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import Literal

from pydantic import ConfigDict
from pydantic.alias_generators import to_camel

from rouse.errors import FieldError

__all__ = ["ApiKeys", "Auth", "FromHeader", "JwtIssuer", "auth_rules"]

_MOST_PORT = 65_535
_CLOSED = ConfigDict(extra="forbid", alias_generator=to_camel, coerce_numbers_to_str=True)


@dataclass(frozen=True, slots=True, kw_only=True)
class FromHeader:
    """A header that carries the token, after ``prefix``."""

    __pydantic_config__ = _CLOSED

    name: str
    prefix: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class JwtIssuer:
    """Who signs tokens, and with which keys: one of ``jwks_uri`` and ``jwks``."""

    __pydantic_config__ = _CLOSED

    issuer: str
    jwks_uri: str = ""
    jwks: str = ""
    """The key set itself, as JSON."""
    audiences: tuple[str, ...] = ()
    """A token must be for one of them; empty: for anybody."""
    from_headers: tuple[FromHeader, ...] = ()
    """Empty: ``Authorization: Bearer <token>``."""


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKeys:
    """Where API keys are, and who checks them."""

    __pydantic_config__ = _CLOSED

    secret: str = ""
    """The Secret, in each namespace, of InferenceServices that name none; empty:
    ``<name>-api-keys``, one for each."""
    provider: str = "rouse-authorizer"
    """The authorizer's name among the extensionProviders of Istio's mesh configuration."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Auth:
    """Who may call InferenceServices through the gateway."""

    __pydantic_config__ = _CLOSED

    default: Literal["none", "jwt", "api-key"] = "none"
    """Of InferenceServices without the annotation rouse.dev/auth."""
    cluster_local: bool = False
    """Ask callers of the host inside the cluster as well."""
    jwt: tuple[JwtIssuer, ...] = ()
    api_keys: ApiKeys = field(default_factory=ApiKeys)
    gateway_namespace: str = "istio-system"
    """Of the gateway's pods: Istio reads a policy for pods from their own namespace."""
    gateway_selector: Mapping[str, str] = field(default_factory=lambda: {"istio": "ingressgateway"})
    """The labels of the gateway's pods."""
    gateway_tcp_ports: tuple[int, ...] = ()
    """Ports of the gateway's pods with servers of protocol TCP, or TLS that is passed through:
    policies leave them alone."""


def auth_rules(auth: Auth) -> Iterator[FieldError]:
    """Find settings that no gateway could use."""
    for index, each in enumerate(auth.jwt):
        path = f"auth.jwt[{index}]"
        if not each.issuer:
            yield FieldError(f"{path}.issuer", "must not be empty")
        if bool(each.jwks) == bool(each.jwks_uri):
            yield FieldError(path, "needs one of jwksUri and jwks, to check signatures with")
        elif each.jwks_uri and not each.jwks_uri.startswith(("http://", "https://")):
            yield FieldError(f"{path}.jwksUri", f'is no http or https URL: "{each.jwks_uri}"')
    if auth.default == "jwt" and not auth.jwt:
        yield FieldError("auth.default", "jwt needs at least one issuer in auth.jwt")
    if not auth.api_keys.provider:
        yield FieldError("auth.apiKeys.provider", "must not be empty")
    if not auth.gateway_selector:
        yield FieldError("auth.gatewaySelector", "must not be empty: it would mean every pod")
    for index, port in enumerate(auth.gateway_tcp_ports):
        if not 0 < port <= _MOST_PORT:
            path = f"auth.gatewayTcpPorts[{index}]"
            yield FieldError(path, f"must be a port, 1 to {_MOST_PORT}, not {port}")
    if not auth.gateway_namespace:
        yield FieldError(f"auth.{to_camel('gateway_namespace')}", "must not be empty")
