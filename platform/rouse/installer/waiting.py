"""Waiting until what was applied is there for others, and saying what it waits for."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from rouse.errors import RouseError
from rouse.installer.cluster import Cluster
from rouse.kube.objects import Object, condition_of, selector_of

__all__ = ["NotInTimeError", "problem_of", "reasons_of", "wait_until_ready"]

_POLL_S: Final = 0.5


class NotInTimeError(RouseError):
    """The deadline came first; what was applied stays, and installing again goes on from there."""

    retryable = True


def problem_of(live: Mapping[str, Any]) -> str:
    """Return why an object is not ready yet; empty when it is, or needs no waiting for."""
    check = _CHECKS.get(live["kind"])
    return check(live) if check else ""


async def wait_until_ready(
    cluster: Cluster, objects: Iterable[Mapping[str, Any]], *, deadline: float
) -> None:
    """Wait until every object is ready; ``deadline`` is a time of the running loop.

    Raises NotInTimeError that says of each what it lacks, and what the pods of a Deployment or
    DaemonSet say.
    """
    loop = asyncio.get_running_loop()
    waiting = [obj for obj in objects if obj["kind"] in _CHECKS]
    while True:
        problems = {}
        for obj in waiting:
            live = await cluster.live(obj)
            problem = problem_of(live) if live else "is not there"
            if problem:
                problems[f"{obj['kind']} {obj['metadata']['name']}"] = (problem, live)
        if not problems:
            return
        if loop.time() >= deadline:
            told = [
                f"{name} {problem}{await _pods_say(cluster, live)}"
                for name, (problem, live) in problems.items()
            ]
            raise NotInTimeError(f"not ready in time: {'; '.join(told)}")
        await cluster.sleep(_POLL_S)


def reasons_of(pod: Mapping[str, Any]) -> list[str]:
    """Return why a pod's containers do not run, in the words of its status."""
    status = pod.get("status") or {}
    found = []
    for container in status.get("containerStatuses") or ():
        state = container.get("state") or {}
        why = state.get("waiting") or state.get("terminated") or {}
        if why.get("reason"):
            found.append(": ".join(filter(None, [why["reason"], why.get("message", "")])))
    scheduled = condition_of(pod, "PodScheduled")
    if scheduled and scheduled["status"] == "False":
        found.append(scheduled.get("message", "cannot be scheduled"))
    return found


def _definition(live: Mapping[str, Any]) -> str:
    condition = condition_of(live, "Established")
    return "" if condition and condition["status"] == "True" else "is not established"


def _deployment(live: Mapping[str, Any]) -> str:
    status, wanted = live.get("status") or {}, (live.get("spec") or {}).get("replicas", 1)
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return "is not seen by its controller yet"
    updated = status.get("updatedReplicas", 0)
    available = status.get("availableReplicas", 0)
    if updated < wanted or available < wanted:
        return f"has {min(updated, available)} of {wanted} replicas available"
    former = status.get("replicas", 0) - updated
    # Those that are available may be these, while the new ones only start.
    return f"still has {former} of its former replicas" if former > 0 else ""


def _daemon_set(live: Mapping[str, Any]) -> str:
    status = live.get("status") or {}
    if status.get("observedGeneration", 0) < live["metadata"].get("generation", 0):
        return "is not seen by its controller yet"
    nodes = status.get("desiredNumberScheduled", 0)
    served = min(status.get("updatedNumberScheduled", 0), status.get("numberAvailable", 0))
    # Of many nodes some are always away: nobody waits for those.
    return f"runs on {served} of {nodes} nodes" if nodes - served > nodes // 10 else ""


def _webhooks(live: Mapping[str, Any]) -> str:
    bare = [
        each["name"]
        for each in live.get("webhooks") or ()
        if not (each.get("clientConfig") or {}).get("caBundle")
    ]
    return f"has no caBundle for {', '.join(bare)}" if bare else ""


_CHECKS: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "CustomResourceDefinition": _definition,
    "DaemonSet": _daemon_set,
    "Deployment": _deployment,
    "MutatingWebhookConfiguration": _webhooks,
    "ValidatingWebhookConfiguration": _webhooks,
}


async def _pods_say(cluster: Cluster, live: Object | None) -> str:
    if live is None or live["kind"] not in ("DaemonSet", "Deployment"):
        return ""
    labels = selector_of(live["spec"]["selector"].get("matchLabels") or {})
    pods = await cluster.pods(live["metadata"]["namespace"], labels)
    said = sorted({reason for pod in pods for reason in reasons_of(pod)})
    return f" ({'; '.join(said)})" if said else ""
