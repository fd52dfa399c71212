"""Names of Envoy clusters, and of the Services behind destination hosts."""

from __future__ import annotations

import re
from typing import Final

from rouse.kube.objects import Key

__all__ = [
    "ACTIVATOR",
    "ACTIVATOR_CHECK",
    "AUTHORIZER",
    "ENDPOINT_SERVER",
    "INGRESS",
    "LOCAL",
    "OUTSIDE",
    "POLICIES",
    "cluster_name",
    "is_hostname",
    "key_of_cluster",
    "service_key",
    "static_cluster",
]

INGRESS: Final = "ingress"
LOCAL: Final = "local"
ACTIVATOR: Final = "activator"
"""The listeners; the first two have a route table (RDS) of the same name."""

ENDPOINT_SERVER: Final = "rouse-endpoints"
ACTIVATOR_CHECK: Final = "rouse-activator-check"
AUTHORIZER: Final = "rouse-authorizer"
"""The cluster of what checks API keys, and its name in policies of action CUSTOM."""
OUTSIDE: Final = "rouse-outside"

POLICIES: Final = ("rouse-custom", "rouse-authorizer", "rouse-jwt", "rouse-deny", "rouse-allow")
"""The gateways' filters that decide who may call, in the order requests pass them (ECDS)."""

_SUFFIX: Final = ".svc.cluster.local"
_CLUSTER: Final = re.compile(r"outbound\|(\d+)\|\|([^.|]+)\.([^.|]+)\.svc\.cluster\.local")
_LABEL: Final = r"[a-z0-9_]([-a-z0-9_]*[a-z0-9_])?"
_HOSTNAME: Final = re.compile(rf"(\*|(\*\.)?{_LABEL}(\.{_LABEL})*)")


def cluster_name(host: str, port: int, subset: str = "") -> str:
    """Name a cluster as Istio does: ``outbound|80||iris.default.svc.cluster.local``."""
    return f"outbound|{port}|{subset}|{host}"


def static_cluster(listener: str) -> str:
    """Name the cluster that leads to one of the mesh's own listeners."""
    return f"rouse-{listener}-gateway"


def key_of_cluster(name: str) -> Key | None:
    """Return the Service of a cluster name, None for clusters that have none."""
    found = _CLUSTER.fullmatch(name)
    return Key(found[3], found[2]) if found else None


def service_key(host: str, namespace: str) -> Key | None:
    """Return the Service a destination host means, seen from a namespace; None if outside.

    Takes ``name``, ``name.ns``, ``name.ns.svc`` and ``name.ns.svc.cluster.local``.
    """
    bare = host.rstrip(".")
    for suffix in (_SUFFIX, ".svc"):
        if bare.endswith(suffix):
            bare = bare.removesuffix(suffix)
            break
    parts = bare.split(".")
    if not all(parts):
        return None
    if len(parts) == 1:
        return Key(namespace, bare) if bare == host.rstrip(".") else None
    return Key(parts[1], parts[0]) if len(parts) == 2 else None


def is_hostname(host: str) -> bool:
    """Whether Envoy takes it as a domain: a DNS name, ``*`` or ``*.name``; lower case."""
    return len(host) <= 253 and _HOSTNAME.fullmatch(host) is not None
