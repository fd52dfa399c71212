"""Whether the nodes that node pools speak of are there, with what the pools say they have."""

from __future__ import annotations

from collections.abc import AsyncIterator, Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from typing import Any

from rouse.compiler.balloons import BALLOON_LABEL, BALLOON_PRIORITY
from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, Config, NodePool
from rouse.compiler.pools import GPU_RESOURCES
from rouse.installer.cluster import Cluster
from rouse.installer.findings import Finding
from rouse.kube.objects import Object, labels_match, selector_of

__all__ = ["balloon_findings", "pool_findings"]

_EDIT = f"kubectl edit configmap {CONFIG_MAP} -n {CONFIG_NAMESPACE}"
_SHUTS = ("NoSchedule", "NoExecute")


async def pool_findings(cluster: Cluster, config: Config) -> AsyncIterator[Finding]:
    """Yield what is found of every node pool, and whether the nodes have GPUs at all."""
    nodes = await cluster.all("v1", "Node")
    for name, pool in sorted(config.node_pools.items()):
        yield _pool(name, pool, nodes)
    offered = sorted({gpu for node in nodes for gpu in _gpus(node)})
    if offered:
        yield Finding("GPUs", "ok", ", ".join(offered))
    elif config.default_gpu_pool:
        yield Finding("GPUs", "note", "no node has any: is the device plugin there?")


async def balloon_findings(cluster: Cluster, config: Config) -> AsyncIterator[Finding]:
    """Yield how many balloons of every pool hold a place."""
    pools = {name: one for name, one in sorted(config.node_pools.items()) if one.balloons.count}
    if not pools:
        return
    if await cluster.get("scheduling.k8s.io/v1", "PriorityClass", BALLOON_PRIORITY) is None:
        detail = "without it no balloon can be made"
        yield Finding(f"PriorityClass {BALLOON_PRIORITY}", "missing", detail, "rouse install")
    for name, pool in pools.items():
        pods = await cluster.pods(CONFIG_NAMESPACE, f"{BALLOON_LABEL}={name}")
        yield _balloons(name, pool.balloons.count, pods)


def _balloons(name: str, count: int, pods: Iterable[Object]) -> Finding:
    what = f"Balloons of {name}"
    phases = [(pod.get("status") or {}).get("phase") for pod in pods]
    placed = phases.count("Running")
    if placed >= count:
        return Finding(what, "ok", f"{placed} hold a place")
    if not phases:
        fix = f"kubectl describe replicasets -n {CONFIG_NAMESPACE} -l {BALLOON_LABEL}={name}"
        return Finding(what, "not ready", f"no pod of {count} is there", fix)
    # As it should be while a node is on its way, and where the pool cannot grow it stays so.
    detail = (
        f"{placed} of {count} hold a place: the next model may wait for a node; see "
        f"kubectl describe pods -n {CONFIG_NAMESPACE} -l {BALLOON_LABEL}={name}"
    )
    return Finding(what, "note", detail)


def _pool(name: str, pool: NodePool, nodes: Iterable[Object]) -> Finding:
    what = f"Node pool {name}"
    fitting = [node for node in nodes if labels_match(pool.node_selector, node)]
    if not fitting:
        # An autoscaler may make the first node when a pod asks for it.
        detail = f"no node has the labels {selector_of(pool.node_selector)}"
        return Finding(what, "note", detail)
    open_ = [node for node in fitting if not list(_shut(node, pool.tolerations))]
    if not open_:
        taint = next(_shut(fitting[0], pool.tolerations))
        detail = f"every node has a taint that the pool does not tolerate, such as {taint['key']}"
        return Finding(what, "invalid", detail, _EDIT)
    there = {resource for node in open_ for resource in _allocatable(node)}
    absent = [
        wanted
        for wanted in pool.resources
        if not any(fnmatchcase(resource, wanted) for resource in there)
    ]
    if pool.resources and len(absent) == len(pool.resources):
        detail = f"its {len(open_)} nodes offer none of {', '.join(absent)}"
        return Finding(what, "invalid", detail, _EDIT)
    return Finding(what, "ok", f"{len(open_)} nodes")


def _shut(node: Object, tolerations: Iterable[Mapping[str, Any]]) -> Iterator[Any]:
    """Yield the taints that keep a pod with these tolerations off a node."""
    taints = (node.get("spec") or {}).get("taints") or ()
    return (
        taint
        for taint in taints
        if taint.get("effect") in _SHUTS
        and not any(_tolerates(toleration, taint) for toleration in tolerations)
    )


def _tolerates(toleration: Mapping[str, Any], taint: Mapping[str, Any]) -> bool:
    if toleration.get("effect") not in (None, "", taint.get("effect")):
        return False
    key = toleration.get("key")
    if toleration.get("operator", "Equal") == "Exists":
        return not key or key == taint["key"]
    return bool(key == taint["key"] and toleration.get("value", "") == taint.get("value", ""))


def _allocatable(node: Object) -> list[str]:
    offered = (node.get("status") or {}).get("allocatable") or {}
    return [name for name, amount in offered.items() if str(amount) != "0"]


def _gpus(node: Object) -> list[str]:
    return [
        name
        for name in _allocatable(node)
        if any(fnmatchcase(name, known) for known in GPU_RESOURCES)
    ]
