"""The certificate of the webhooks, as the API server sees it."""

from __future__ import annotations

import base64
import binascii
import importlib.util
from collections.abc import AsyncIterator, Mapping
from datetime import datetime, timedelta
from typing import Any, Final

from rouse.compiler.config import CONFIG_NAMESPACE
from rouse.installer.cluster import Cluster
from rouse.installer.findings import Finding

__all__ = ["certificate_findings", "validity"]

_SECRET: Final = "rouse-webhook-certs"  # noqa: S105 - a name, no secret
_SOON: Final = timedelta(days=7)
_KINDS: Final = ("ValidatingWebhookConfiguration", "MutatingWebhookConfiguration")
_RENEW: Final = f"kubectl delete secret {_SECRET} -n {CONFIG_NAMESPACE}"
_RESTART: Final = f"kubectl rollout restart deployment rouse-webhook -n {CONFIG_NAMESPACE}"


async def certificate_findings(cluster: Cluster, now: datetime) -> AsyncIterator[Finding]:
    """Yield whether the certificate is there and valid, and trusted by the configurations."""
    what = "Webhook certificate"
    secret = await cluster.get("v1", "Secret", _SECRET, CONFIG_NAMESPACE)
    data = (secret or {}).get("data") or {}
    if not data.get("tls.crt"):
        detail = f"no Secret {CONFIG_NAMESPACE}/{_SECRET}: the webhook makes it when it starts"
        yield Finding(what, "missing", detail, _RESTART)
    else:
        yield validity(what, _decoded(data["tls.crt"]), now, mend=_RENEW, late=_RESTART)
    for kind in _KINDS:
        yield await _trust(cluster, kind, data)


def validity(what: str, pem: bytes, now: datetime, *, mend: str, late: str = "") -> Finding:
    """Look at the dates of a certificate. ``mend`` is for one that ran out, ``late`` for one that
    soon will."""
    if importlib.util.find_spec("cryptography") is None:
        return Finding(what, "note", "its dates need the package cryptography to be read")
    from cryptography import x509

    try:
        certificate = x509.load_pem_x509_certificate(pem)
    except ValueError:
        return Finding(what, "invalid", "tls.crt is no certificate", mend)
    until = certificate.not_valid_after_utc
    if until <= now:
        return Finding(what, "invalid", f"it ran out on {until:%Y-%m-%d}", mend)
    if until - now < _SOON:
        detail = f"it runs out on {until:%Y-%m-%d} and nobody has renewed it"
        return Finding(what, "not ready", detail, late or mend)
    return Finding(what, "ok", f"until {until:%Y-%m-%d}")


async def _trust(cluster: Cluster, kind: str, data: Mapping[str, Any]) -> Finding:
    live = await cluster.get("admissionregistration.k8s.io/v1", kind, "rouse-webhook")
    if live is None:
        return Finding(kind, "missing", "objects are not checked", "rouse install")
    bundles = {
        (each.get("clientConfig") or {}).get("caBundle") for each in live.get("webhooks") or ()
    }
    if bundles & {None, ""}:
        detail = "no caBundle: the API server trusts no webhook and refuses every write"
        return Finding(kind, "not ready", detail, _RESTART)
    authority = _decoded(data.get("ca.crt", "")).strip()
    if authority and any(authority not in _decoded(str(bundle)) for bundle in bundles):
        return Finding(kind, "invalid", "its caBundle is not that of the certificate", _RESTART)
    return Finding(kind, "ok")


def _decoded(text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return b""
