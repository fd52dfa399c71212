"""A predictor on several nodes: what makes its head and its workers one group.

The pods of one version form a group of their own, with names of its own, so that during an update
no worker joins the head of another version. The names of a group stay until it has been replaced.
"""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Sequence
from dataclasses import replace

import orjson

from rouse.api.base import Object
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.merge import merge_pod
from rouse.compiler.metadata import make_metadata
from rouse.compiler.multinode import WORKER_CONTAINER
from rouse.compiler.names import shorten
from rouse.compiler.observed import Observed
from rouse.compiler.standard.deployment import make_deployment, workload_selector
from rouse.compiler.standard.scaling import SCALING_ANNOTATIONS, Scaling

__all__ = [
    "GROUPS_ANNOTATION",
    "GROUP_LABEL",
    "make_group_services",
    "make_worker_deployment",
    "named_groups",
    "with_group",
]

GROUP_LABEL = "rouse.dev/group"
"""Of the pods, and in the names of the Services: which version of head and workers it is."""
GROUPS_ANNOTATION = "rouse.dev/groups"
"""Of the head's Deployment: the groups that have names, the latest first."""

_ROLE_LABEL = "multinode/role"
_MAX_NAME = 63
_ONE_BY_ONE = {"maxSurge": "100%", "maxUnavailable": "0%"}


def with_group(isvc: InferenceService, component: ResolvedComponent) -> ResolvedComponent:
    """Return the component whose workers know their head; one without workers as it is."""
    workers = component.workers
    if workers is None:
        return component
    group = _hash(component, workers)
    told = {
        "HEAD_SVC": _service_name(isvc, "head", group),
        "WORKER_SVC": _service_name(isvc, "workers", group),
    }
    env = [{"name": name, "value": value} for name, value in told.items()]
    pod = merge_pod(workers.pod_spec, {"containers": [{"name": WORKER_CONTAINER, "env": env}]})
    label = {GROUP_LABEL: group}
    workers = replace(workers, pod_spec=pod, labels={**workers.labels, **label})
    return replace(component, labels={**component.labels, **label}, workers=workers)


def make_worker_deployment(
    isvc: InferenceService, head: ResolvedComponent, scaling: Scaling, config: Config
) -> Object | None:
    """Return the Deployment of a component's workers; None where it has none.

    Workers of a new version come beside those before: until the new group is whole, it needs the
    old one to serve.
    """
    workers = head.workers
    if workers is None:
        return None
    count = head.worker_count * min(1, scaling.least)
    fixed = replace(scaling, least=count, most=count)
    return make_deployment(isvc, workers, fixed, config, rolling=_ONE_BY_ONE)


def named_groups(
    component: ResolvedComponent, observed: Observed, *, replaced: bool
) -> tuple[str, ...]:
    """Return the groups that need names, the wanted one first; empty without workers.

    ``replaced``: all pods are of the wanted group. Else the group before it stays, and the one
    that served before updates that failed.
    """
    if component.workers is None:
        return ()
    current = component.labels[GROUP_LABEL]
    live = observed.deployments.get(component.name) or {"metadata": {}}
    annotations = live["metadata"].get("annotations") or {}
    before = [each for each in annotations.get(GROUPS_ANNOTATION, "").split(",") if each]
    if replaced or not before:
        return (current,)
    return tuple(dict.fromkeys((current, before[0], before[-1])))


def make_group_services(
    isvc: InferenceService, component: ResolvedComponent, groups: Sequence[str]
) -> Iterator[Object]:
    """Yield the headless Services by which heads and workers find each other, ready or not."""
    if component.workers is None:
        return
    roles = {"head": ("head", component), "worker": ("workers", component.workers)}
    for group in groups:
        for role, (word, part) in roles.items():
            metadata = make_metadata(isvc, _service_name(isvc, word, group), component.component)
            metadata["labels"] = {**metadata["labels"], _ROLE_LABEL: role}
            yield {
                "apiVersion": "v1",
                "kind": "Service",
                "metadata": metadata,
                "spec": {
                    "clusterIP": "None",
                    "publishNotReadyAddresses": True,
                    "selector": {**workload_selector(part), GROUP_LABEL: group},
                },
            }


def _service_name(isvc: InferenceService, word: str, group: str) -> str:
    rest = f"-{word}-{group}"
    return shorten(isvc.name, _MAX_NAME - len(rest)) + rest


def _hash(*parts: ResolvedComponent) -> str:
    templates = [
        [
            each.pod_spec,
            each.labels,
            {k: v for k, v in each.annotations.items() if k not in SCALING_ANNOTATIONS},
        ]
        for each in parts
    ]
    canonical = orjson.dumps(templates, option=orjson.OPT_SORT_KEYS)
    return hashlib.sha256(canonical).hexdigest()[:8]
