"""The Secret that replicas share, as `Material`, and back. Pure."""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Mapping
from typing import Any, Final

from rouse.api.base import Object
from rouse.errors import ConfigError
from rouse.kube.objects import Key
from rouse.webhook.certificates.pki import Issued
from rouse.webhook.certificates.rotation import Material
from rouse.webhook.tls import Pair

__all__ = ["made_secret", "read_material", "read_pair"]

_BUNDLE: Final = "ca.crt"
_AUTHORITY_KEY: Final = "ca.key"
_CERTIFICATE: Final = "tls.crt"
_KEY: Final = "tls.key"
_certificates: Final = re.compile(
    rb"-----BEGIN CERTIFICATE-----.+?-----END CERTIFICATE-----\n?", re.DOTALL
).findall


def read_material(secret: Mapping[str, Any]) -> Material | None:
    """Return what a Secret made here holds; None when it is empty.

    Raises ConfigError for one that somebody else made, which is then not written over.
    """
    data = _decoded(secret)
    if not any(data.get(name) for name in (_BUNDLE, _AUTHORITY_KEY, _CERTIFICATE, _KEY)):
        return None
    authorities = tuple(_certificates(data.get(_BUNDLE, b"")))
    missing = [name for name in (_AUTHORITY_KEY, _CERTIFICATE, _KEY) if not data.get(name)]
    if not authorities or missing:
        absent = ", ".join(missing) or _BUNDLE
        raise ConfigError(
            f"Secret {_where(secret)} holds a certificate that was not made here ({absent} is "
            "missing): give --cert-manager to serve it as it is, or delete it to have one made"
        )
    return Material(authorities, data[_AUTHORITY_KEY], Issued(data[_CERTIFICATE], data[_KEY]))


def read_pair(secret: Mapping[str, Any]) -> Pair:
    """Return the pair to serve of any Secret of the type kubernetes.io/tls.

    Raises ConfigError when it holds none.
    """
    data = _decoded(secret)
    if not (data.get(_CERTIFICATE) and data.get(_KEY)):
        raise ConfigError(f"Secret {_where(secret)} has no {_CERTIFICATE} and {_KEY} yet")
    return Pair(data[_CERTIFICATE], data[_KEY])


def made_secret(key: Key, material: Material, live: Mapping[str, Any] | None) -> Object:
    """Return the Secret to create, or to put in the place of ``live``."""
    values = {
        _BUNDLE: material.bundle,
        _AUTHORITY_KEY: material.authority_key,
        _CERTIFICATE: material.serving.certificate,
        _KEY: material.serving.key,
    }
    data = {name: base64.b64encode(value).decode() for name, value in values.items()}
    if live is not None:
        return {**live, "data": {**(live.get("data") or {}), **data}}
    labels = {"app.kubernetes.io/name": "rouse-webhook", "app.kubernetes.io/part-of": "rouse"}
    return {
        "apiVersion": "v1",
        "kind": "Secret",
        "metadata": {**key._asdict(), "labels": labels},
        "type": "kubernetes.io/tls",
        "data": data,
    }


def _decoded(secret: Mapping[str, Any]) -> dict[str, bytes]:
    try:
        return {
            name: base64.b64decode(value, validate=True)
            for name, value in (secret.get("data") or {}).items()
        }
    except (binascii.Error, ValueError, TypeError) as error:
        raise ConfigError(f"Secret {_where(secret)} holds what is no base64: {error}") from error


def _where(secret: Mapping[str, Any]) -> str:
    metadata = secret.get("metadata") or {}
    return f"{metadata.get('namespace', '')}/{metadata.get('name', '')}"
