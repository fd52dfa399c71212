"""Where the activator sends requests: what its answer names and the gateway has as clusters.

A revision without a limit: straight to the replica that the answer names. One with
containerConcurrency: to the cluster of its private Service, in which each replica has a queue.
"""

from __future__ import annotations

from typing import Final

__all__ = ["CLUSTER_HEADER", "UNLIMITED", "limited_cluster"]

CLUSTER_HEADER: Final = "x-rouse-replicas"
"""The activator's answer names the gateway's cluster in it."""
UNLIMITED: Final = "rouse-replicas"
"""The cluster that goes to whatever address the answer names."""


def limited_cluster(service: str, namespace: str) -> str:
    """The gateway's cluster of a private Service, all of whose replicas are held to their limit."""
    return f"outbound|80||{service}.{namespace}.svc.cluster.local"
