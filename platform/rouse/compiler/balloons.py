"""Balloons: pods of the lowest priority that hold a place on the nodes of a pool.

Any other pod that needs the place pushes a balloon out at once. The balloon, made anew and without
a place, is what makes a cluster autoscaler bring the next node.
"""

from __future__ import annotations

from collections.abc import Callable

from rouse.api.base import Object
from rouse.compiler.config import CONFIG_NAMESPACE, Config, NodePool
from rouse.compiler.names import MANAGED_BY, shorten
from rouse.compiler.pools import POOL_ANNOTATION, place

__all__ = ["BALLOON_LABEL", "BALLOON_PRIORITY", "make_balloons"]

BALLOON_LABEL = "rouse.dev/balloons"
"""Of balloons: the name of their pool."""
BALLOON_PRIORITY = "rouse-balloon"
"""The PriorityClass, of -10: the least that cluster autoscalers still bring a node for."""

_MOST_NAME = 63
_HOSTNAME = "kubernetes.io/hostname"
_NOBODY = 65535
"""The user of the image ``pause``."""


def make_balloons(config: Config, expected: Callable[[str], int] = lambda _pool: 0) -> list[Object]:
    """Return a Deployment for each pool with balloons, sorted by pool.

    ``expected`` says how many models are about to wake on a pool.
    Raises CompileError for a pool that does not have what its balloons hold.
    """
    return [
        _deployment(name, pool, config, _count(pool, expected(name)))
        for name, pool in sorted(config.node_pools.items())
        if pool.balloons.count or pool.balloons.forecast
    ]


def _count(pool: NodePool, expected: int) -> int:
    return pool.balloons.count + min(pool.balloons.forecast, expected)


def _deployment(name: str, pool: NodePool, config: Config, count: int) -> Object:
    labels = {"app.kubernetes.io/name": "rouse-balloon", BALLOON_LABEL: name}
    pod = place(_pod(pool, labels, config), {POOL_ANNOTATION: name}, config, labels=labels)
    return {
        "apiVersion": "apps/v1",
        "kind": "Deployment",
        "metadata": {
            "name": shorten(f"rouse-balloons-{name}", _MOST_NAME),
            "namespace": CONFIG_NAMESPACE,
            "labels": {**MANAGED_BY, **labels},
        },
        "spec": {
            "replicas": count,
            "selector": {"matchLabels": labels},
            # New ones would find no room beside the old.
            "strategy": {
                "type": "RollingUpdate",
                "rollingUpdate": {"maxSurge": 0, "maxUnavailable": "100%"},
            },
            "template": {"metadata": {"labels": labels}, "spec": pod},
        },
    }


def _pod(pool: NodePool, labels: dict[str, str], config: Config) -> Object:
    held = dict(pool.balloons.resources)
    spread = {
        "maxSkew": 1,
        "topologyKey": _HOSTNAME,
        "whenUnsatisfiable": "ScheduleAnyway",
        "labelSelector": {"matchLabels": labels},
    }
    return {
        "priorityClassName": BALLOON_PRIORITY,
        # Whoever pushes one out does not wait for it.
        "terminationGracePeriodSeconds": 0,
        "automountServiceAccountToken": False,
        "enableServiceLinks": False,
        "securityContext": {
            "runAsNonRoot": True,
            "runAsUser": _NOBODY,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "topologySpreadConstraints": [spread],
        "containers": [
            {
                "name": "balloon",
                "image": config.balloon_image,
                "resources": {"requests": held, "limits": held},
                "securityContext": {
                    "allowPrivilegeEscalation": False,
                    "readOnlyRootFilesystem": True,
                    "capabilities": {"drop": ["ALL"]},
                },
            }
        ],
    }
