"""Node pools: to which nodes a pod goes, by name or because it asks for a GPU."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from fnmatch import fnmatchcase
from itertools import product
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.compiler.config import Config, NodePool
from rouse.compiler.errors import CompileError

__all__ = ["GPU_RESOURCES", "POOL_ANNOTATION", "gpus_of", "place", "pool_of"]

POOL_ANNOTATION = "rouse.dev/node-pool"
"""The name of a pool; an empty one keeps a pod that asks for a GPU out of the default pool."""

GPU_RESOURCES = (
    "nvidia.com/gpu",
    "nvidia.com/gpu.shared",
    "nvidia.com/mig-*",
    "amd.com/gpu",
    "gpu.intel.com/*",
    "intel.com/gpu",
    "habana.ai/gaudi",
)
"""Names of extended resources that are GPUs or alike; ``*`` stands for any text."""

_WHERE = f"metadata.annotations[{POOL_ANNOTATION}]"
_REQUIRED = "requiredDuringSchedulingIgnoredDuringExecution"
_PREFERRED = "preferredDuringSchedulingIgnoredDuringExecution"
_TERMS = "nodeSelectorTerms"


def place(
    pod_spec: Object,
    annotations: Mapping[str, str],
    config: Config,
    *,
    labels: Mapping[str, str] | None = None,
) -> Object:
    """Return the pod with what sends it to its node pool; the argument stays as it is.

    What the pod says already wins over the pool: a node label or runtime class it names is kept,
    tolerations are added, and node affinities must both hold. ``labels`` tell the pods of the
    same component, which the pool spreads. Raises CompileError for a pool that
    does not exist or does not have what the pod asks for.
    """
    gpus = gpus_of(pod_spec.get("containers") or ())
    name = annotations.get(POOL_ANNOTATION)
    if name:
        return _merged(pod_spec, _named(name, gpus, config), labels or {})
    if name is None and gpus and config.default_gpu_pool:
        pool = config.node_pools[config.default_gpu_pool]
        if not list(_missing(gpus, pool)):
            return _merged(pod_spec, pool, labels or {})
    return pod_spec


def pool_of(pod_spec: Mapping[str, Any], annotations: Mapping[str, str], config: Config) -> str:
    """Return the name of the pool that `place` sends a pod to; empty: it goes where it can."""
    gpus = gpus_of(pod_spec.get("containers") or ())
    name = annotations.get(POOL_ANNOTATION, config.default_gpu_pool if gpus else "")
    pool = config.node_pools.get(name)
    return "" if pool is None or any(_missing(gpus, pool)) else name


def gpus_of(containers: Iterable[Mapping[str, Any]]) -> frozenset[str]:
    """Return the names of the GPU resources that containers ask for more than 0 of."""
    return frozenset(
        name
        for container in containers
        for part in ("limits", "requests")
        for name, amount in ((container.get("resources") or {}).get(part) or {}).items()
        if str(amount) != "0" and any(fnmatchcase(name, known) for known in GPU_RESOURCES)
    )


def _named(name: str, gpus: frozenset[str], config: Config) -> NodePool:
    pool = config.node_pools.get(name)
    if pool is None:
        known = ", ".join(sorted(config.node_pools)) or "none"
        raise CompileError(
            Reason.INVALID_SPEC,
            f'{_WHERE}: there is no node pool "{name}"; nodePools of ConfigMap rouse-config has: '
            f"{known}. Use one of these, or add the pool there",
        )
    missing = ", ".join(_missing(gpus, pool))
    if missing:
        raise CompileError(
            Reason.INVALID_SPEC,
            f'{_WHERE}: the node pool "{name}" does not have {missing}, which the containers ask '
            f"for; it has: {', '.join(pool.resources)}",
        )
    return pool


def _missing(gpus: frozenset[str], pool: NodePool) -> Iterator[str]:
    """Yield what a pool that lists its resources does not have."""
    for gpu in sorted(gpus) if pool.resources else ():
        if not any(fnmatchcase(gpu, offered) for offered in pool.resources):
            yield gpu


def _merged(pod: Object, pool: NodePool, labels: Mapping[str, str]) -> Object:
    merged = dict(pod)
    if pool.node_selector:
        merged["nodeSelector"] = {**pool.node_selector, **(pod.get("nodeSelector") or {})}
    if pool.tolerations:
        own = pod.get("tolerations") or []
        merged["tolerations"] = [*own, *(dict(t) for t in pool.tolerations if t not in own)]
    if pool.affinity:
        merged["affinity"] = _affinity(pod.get("affinity") or {}, pool.affinity)
    if pool.runtime_class_name and not pod.get("runtimeClassName"):
        merged["runtimeClassName"] = pool.runtime_class_name
    if pool.topology_spread_constraints:
        own = pod.get("topologySpreadConstraints") or []
        merged["topologySpreadConstraints"] = [*own, *_spread(own, pool, labels)]
    return merged


def _spread(
    own: Iterable[Mapping[str, Any]], pool: NodePool, labels: Mapping[str, str]
) -> Iterator[Object]:
    """Yield the pool's constraints over topologies that the pod does not spread over itself."""
    taken = {each["topologyKey"] for each in own}
    for each in pool.topology_spread_constraints:
        if each["topologyKey"] not in taken:
            # Without a selector Kubernetes would count no pod, and spread nothing.
            yield {"labelSelector": {"matchLabels": dict(labels)}, **each}


def _affinity(own: Mapping[str, Any], pools: Mapping[str, Any]) -> Object:
    merged: Object = {**pools, **own}
    for kind in sorted(own.keys() & pools.keys()):
        merged[kind] = _both(own[kind] or {}, pools[kind] or {})
    return merged


def _both(own: Mapping[str, Any], pools: Mapping[str, Any]) -> Object:
    """Return an affinity that holds where both do; all its lists but node selector terms add up."""
    merged: Object = {**pools, **own}
    if own.get(_PREFERRED) and pools.get(_PREFERRED):
        merged[_PREFERRED] = [*own[_PREFERRED], *pools[_PREFERRED]]
    mine, theirs = own.get(_REQUIRED), pools.get(_REQUIRED)
    if mine and theirs:
        merged[_REQUIRED] = (
            [*mine, *theirs]
            if isinstance(mine, list)
            else {_TERMS: [_term(*pair) for pair in product(mine[_TERMS], theirs[_TERMS])]}
        )
    return merged


def _term(own: Mapping[str, Any], pools: Mapping[str, Any]) -> Object:
    # Terms are alternatives, the expressions of one term must all hold.
    return {
        part: [*own.get(part, ()), *pools.get(part, ())]
        for part in ("matchExpressions", "matchFields")
        if part in own or part in pools
    }
