"""Names on the objects of standby pods."""

from __future__ import annotations

from typing import Final

__all__ = [
    "CLAIM",
    "HASH_LABEL",
    "KEY_ANNOTATION",
    "NAME_LABEL",
    "POLICY",
    "STANDBY_LABEL",
    "STANDBY_NAME",
]

STANDBY_LABEL: Final = "rouse.dev/standby"
"""Of standby pods and their Deployments: the digest of their shape. Who is handed over loses it."""
CLAIM: Final = "rouse.dev/standby-for"
"""Annotation of a standby pod: the Deployment that it is to serve for; written before it is told.
It stays on, and says where a replica came from."""
KEY_ANNOTATION: Final = "rouse.dev/standby-key"
"""Annotation of a standby pod: the name of the key that it obeys."""
NAME_LABEL: Final = "app.kubernetes.io/name"
STANDBY_NAME: Final = "rouse-standby"
POLICY: Final = "rouse-standby"
"""The NetworkPolicy of a namespace with standby pods."""
HASH_LABEL: Final = "pod-template-hash"
