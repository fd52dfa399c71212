"""Graphs as the suite writes and asks them."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

import httpx

from rouse.kube.objects import Object
from rouse.kube.resources import INFERENCE_GRAPHS
from tests.conformance.cluster import Cluster

__all__ = ["ECHO_STEP", "FIRST_STEP", "SECOND_STEP", "ask", "deploy", "graph", "node", "root"]

FIRST_STEP: Final[Object] = {"serviceName": "iris"}
SECOND_STEP: Final[Object] = {"serviceName": "graph-iris-v2"}
ECHO_STEP: Final[Object] = {"serviceName": "graph-echo"}
"""Steps of the fixtures `iris`, `iris_v2` and `echo`."""


def node(router: str, *steps: Object) -> Object:
    """A node of a graph."""
    return {"routerType": router, "steps": list(steps)}


def root(router: str, *steps: Object) -> dict[str, Object]:
    """The nodes of a graph that has one."""
    return {"root": node(router, *steps)}


def graph(
    cluster: Cluster,
    name: str,
    nodes: Mapping[str, Object],
    *,
    annotations: Mapping[str, str] | None = None,
    **spec: Any,
) -> Object:
    """An InferenceGraph of these nodes; one router that stays, unless told."""
    metadata: Object = {"name": name, "namespace": cluster.namespace}
    if annotations:
        metadata["annotations"] = dict(annotations)
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "InferenceGraph",
        "metadata": metadata,
        "spec": {"nodes": dict(nodes), **spec},
    }


async def deploy(cluster: Cluster, wanted: Object) -> Object:
    """Apply a graph, wait until it is ready and until the ingress has it; the live object."""
    await cluster.apply(wanted)
    live = await cluster.ready(wanted["metadata"]["name"], resource=INFERENCE_GRAPHS)
    await cluster.until_answer(live, "GET", "/readyz", lambda told: told.status_code == 200)
    return live


async def ask(
    cluster: Cluster, live: Object, *, headers: Mapping[str, str] | None = None, **body: Any
) -> httpx.Response:
    """A request with the flower on which the models disagree, and more fields."""
    asked = {"instances": [cluster.models.flower.row], **body}
    return await cluster.ask(live, "POST", "/", json=asked, headers=headers)
