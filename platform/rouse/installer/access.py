"""Whether what the access settings rely on is there: gateways, key sets, the authorizer, TLS."""

from __future__ import annotations

import base64
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from datetime import datetime
from typing import Any, Final, TypeAlias

import httpx

from rouse.compiler.access import ACCESS_NAMESPACE_LABEL
from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, Config
from rouse.errors import ApiError
from rouse.installer.apikeys import examine_authorizer, examine_provider
from rouse.installer.certificates import validity
from rouse.installer.cluster import Cluster
from rouse.installer.findings import Finding
from rouse.installer.remedies import INSTALL_COMMANDS
from rouse.kube.objects import Object, labels_of, selector_of

__all__ = ["Fetch", "access_findings", "fetch"]

Fetch: TypeAlias = Callable[[str], Awaitable[str]]
"""Asks for a URL; returns why it cannot be had, '' where it can."""

_EDIT: Final = f"kubectl edit configmap {CONFIG_MAP} -n {CONFIG_NAMESPACE}"
_FETCH_S: Final = 5.0
_POLICIES: Final = "security.istio.io/v1"


async def fetch(url: str) -> str:
    """Ask for a URL as the gateway would, from here."""
    try:
        async with httpx.AsyncClient(timeout=_FETCH_S, follow_redirects=True) as client:
            answer = await client.get(url)
            keys = answer.json().get("keys") if answer.is_success else None
    except (httpx.HTTPError, httpx.InvalidURL) as error:
        return str(error) or type(error).__name__
    except (ValueError, AttributeError):
        return "answers no JSON with keys"
    if not answer.is_success:
        return f"answers {answer.status_code}"
    return "" if keys else "answers no JSON with keys"


async def access_findings(
    cluster: Cluster,
    config: Config,
    now: datetime,
    fetch: Fetch = fetch,
    *,
    again: str = "rouse install",
) -> AsyncIterator[Finding]:
    """Yield what is found of every part of access that is in use. Raises ApiError.

    ``again`` is the command that brings the present installation.
    """
    policies = await cluster.all(_POLICIES, "AuthorizationPolicy", labels=ACCESS_NAMESPACE_LABEL)
    with_keys = config.auth.default == "api-key" or any(_is_custom(one) for one in policies)
    if policies or config.auth.default != "none":
        yield await _gateway(cluster, config)
    for issuer in config.auth.jwt:
        if issuer.jwks_uri:
            yield _keys(issuer.jwks_uri, await fetch(issuer.jwks_uri))
    if with_keys:
        served = {_served(one) for one in policies if _is_custom(one)}
        yield await examine_authorizer(cluster, config, served, again=again)
        yield await examine_provider(cluster, config)
    if config.tls_issuer:
        yield await _issuer(cluster, config)
    if config.tls_secret:
        yield await _certificate(cluster, config, now)


def _served(policy: Mapping[str, Any]) -> str:
    """Return the namespace of the InferenceService that a policy protects."""
    return labels_of(policy).get(ACCESS_NAMESPACE_LABEL, "")


def _is_custom(policy: Mapping[str, Any]) -> bool:
    return bool((policy.get("spec") or {}).get("action") == "CUSTOM")


async def _gateway(cluster: Cluster, config: Config) -> Finding:
    what, namespace = "auth.gatewayNamespace", config.auth.gateway_namespace
    labels = selector_of(config.auth.gateway_selector)
    if await cluster.pods(namespace, labels):
        return Finding(what, "ok", f"{namespace}, {labels}")
    places = {pod["metadata"]["namespace"] for pod in await cluster.pods(None, labels)}
    if places:
        detail = (
            f"no gateway in namespace {namespace}, but pods labelled {labels} in "
            f"{', '.join(sorted(places))}: Istio reads policies in their namespace only, and "
            "models that ask for tokens or keys are open. The authorizer of API keys must know the "
            "same namespace (--gateway-namespace)"
        )
        return Finding(what, "invalid", detail, _EDIT)
    detail = (
        f"no pod in namespace {namespace} is labelled {labels}: Istio reads the policies of no "
        "gateway there, and models that ask for tokens or keys are open"
    )
    return Finding(what, "invalid", detail, _EDIT)


def _keys(uri: str, problem: str) -> Finding:
    what = f"auth.jwt {uri}"
    if not problem:
        return Finding(what, "ok", "asked from here; the gateway may see otherwise")
    # The gateway may be where this address works, and this program where it does not.
    detail = f"{problem}, asked from here; where the gateway gets no keys, every token is refused"
    return Finding(what, "note", detail)


async def _issuer(cluster: Cluster, config: Config) -> Finding:
    what = f"tlsIssuer {config.tls_issuer}"
    kind, _, name = config.tls_issuer.partition("/")
    if await cluster.find("cert-manager.io/v1", "Certificate") is None:
        detail = "cert-manager is not there: nobody makes the certificate"
        return Finding(what, "missing", detail, INSTALL_COMMANDS["cert-manager.io"])
    namespace = config.auth.gateway_namespace if kind == "Issuer" else ""
    if await cluster.get("cert-manager.io/v1", kind, name, namespace) is None:
        where = f" in namespace {namespace}" if namespace else ""
        return Finding(what, "missing", f"there is no {kind} {name}{where}", _EDIT)
    return Finding(what, "ok")


async def _certificate(cluster: Cluster, config: Config, now: datetime) -> Finding:
    namespace, name = config.auth.gateway_namespace, config.tls_secret
    what = f"tlsSecret {name}"
    mend = (
        f"kubectl describe certificate rouse-tls -n {namespace}"
        if config.tls_issuer
        else f"kubectl create secret tls {name} -n {namespace} --cert=FILE --key=FILE"
    )
    try:
        live: Object | None = await cluster.get("v1", "Secret", name, namespace)
    except ApiError as error:
        if error.status != 403:
            raise
        return Finding(what, "note", f"it may not be read: {error.message}")
    encoded = ((live or {}).get("data") or {}).get("tls.crt")
    if not encoded:
        detail = f"no certificate in Secret {namespace}/{name}: HTTPS is not answered"
        return Finding(what, "missing", detail, mend)
    return validity(what, base64.b64decode(encoded), now, mend=mend)
