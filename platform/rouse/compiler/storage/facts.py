"""What was read from the cluster about the credentials of one namespace."""

from __future__ import annotations

import base64
import binascii
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from rouse.api.base import Object

__all__ = ["NO_FACTS", "Facts", "secret_keys", "secret_text"]


@dataclass(frozen=True, slots=True)
class Facts:
    """Live objects by name, all of the namespace that the pod is in; its repr shows no Secret."""

    service_accounts: Mapping[str, Object] = field(default_factory=dict)
    secrets: Mapping[str, Object] = field(default_factory=dict, repr=False)
    storage_containers: Sequence[Object] = ()
    """The ClusterStorageContainers."""
    services: Mapping[str, Object] = field(default_factory=dict)
    """The InferenceServices; asked for only where pods mount the claims of caches."""


NO_FACTS = Facts()


def secret_keys(secret: Object) -> frozenset[str]:
    """The keys that a Secret holds."""
    return frozenset(secret.get("data") or {}) | frozenset(secret.get("stringData") or {})


def secret_text(secret: Object, key: str) -> str:
    """A value of a Secret as text; empty when it is absent or no text."""
    plain: str | None = (secret.get("stringData") or {}).get(key)
    if plain is not None:
        return plain
    try:
        return base64.b64decode((secret.get("data") or {}).get(key, ""), validate=True).decode()
    except (binascii.Error, ValueError):
        return ""
