"""Admission of pods within the ResourceQuotas of their namespace, as Kubernetes counts them.

Quotas of pods and of what their containers ask for are kept: ``pods``, ``cpu``, ``memory`` and
every ``requests.`` and ``limits.`` of them and of other resources. Others, and quotas with scopes,
are not looked at. What counts is what has been accepted when the pod is, after all webhooks.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from decimal import Decimal
from typing import Any, Final

from rouse.api.quantities import amount
from rouse.embedded.apiserver.admission import Operation, Plugin
from rouse.embedded.apiserver.errors import Object, forbidden
from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.store import Store

__all__ = ["quota_admission"]

_PODS: Final = "/pods"
_QUOTAS: Final = "/resourcequotas"
_ENDED: Final = ("Succeeded", "Failed")
_OF_NODES: Final = ("cpu", "memory", "ephemeral-storage")
"""A quota of one of these makes every container say how much it wants."""


def quota_admission(store: Store) -> Plugin:
    """A plugin that refuses a pod for which a quota in ``store`` has no room."""

    def admit_pod(
        operation: Operation, obj: Object, old: Object | None, resource: Resource
    ) -> Object:
        if operation != "CREATE" or resource.bucket != _PODS:
            return obj
        namespace = obj["metadata"]["namespace"]
        quotas = [each.object() for each in store.heads(_QUOTAS, namespace)]
        if quotas:
            others = (each.object() for each in store.heads(_PODS, namespace))
            _check(obj, quotas, [one for one in others if _counts(one)])
        return obj

    return admit_pod


def _counts(pod: Mapping[str, Any]) -> bool:
    return (pod.get("status") or {}).get("phase") not in _ENDED


def _check(pod: Object, quotas: Iterable[Object], others: Iterable[Object]) -> None:
    """Raise 403 in Kubernetes' words where a quota is exceeded, or cannot be counted."""
    wanted = _use_of(pod)
    used: dict[str, Decimal] = {}
    for other in others:
        for name, number in _use_of(other).items():
            used[name] = used.get(name, Decimal(0)) + number
    for quota in quotas:
        spec = quota.get("spec") or {}
        if spec.get("scopes") or spec.get("scopeSelector"):
            continue
        hard = {name: amount(value) for name, value in (spec.get("hard") or {}).items()}
        _specified(pod, quota, hard)
        over = [
            name
            for name in sorted(hard.keys() & wanted.keys())
            if wanted[name] and used.get(name, Decimal(0)) + wanted[name] > hard[name]
        ]
        if over:
            raise _refusal(
                pod,
                f"exceeded quota: {quota['metadata']['name']}, "
                f"requested: {_listed(over, wanted)}, used: {_listed(over, used)}, "
                f"limited: {_listed(over, hard)}",
            )


def _specified(pod: Object, quota: Object, hard: Iterable[str]) -> None:
    for name in sorted(hard):
        part, resource = _part_of(name)
        if resource not in _OF_NODES:
            continue
        for container in _containers(pod):
            if resource not in _asked(container, part):
                raise _refusal(
                    pod,
                    f"failed quota: {quota['metadata']['name']}: must specify {name} for: "
                    f"{container['name']}",
                )


def _refusal(pod: Object, why: str) -> Exception:
    metadata = pod["metadata"]
    return forbidden("", "pods", metadata.get("name") or metadata.get("generateName", ""), why)


def _listed(names: Iterable[str], numbers: Mapping[str, Decimal]) -> str:
    return ",".join(f"{name}={numbers.get(name, Decimal(0)).normalize():f}" for name in names)


def _part_of(name: str) -> tuple[str, str]:
    """Return what a quota of that name counts: requests or limits, and of which resource."""
    part, dot, resource = name.partition(".")
    return (part, resource) if dot and part in ("requests", "limits") else ("requests", name)


def _use_of(pod: Mapping[str, Any]) -> dict[str, Decimal]:
    """Return what a pod takes of every quota: init containers run one after the other, before."""
    spec = pod.get("spec") or {}
    found = {"pods": Decimal(1)}
    for part in ("requests", "limits"):
        total = _sum(spec.get("containers") or (), part)
        for container in spec.get("initContainers") or ():
            for resource, value in _asked(container, part).items():
                total[resource] = max(total.get(resource, Decimal(0)), amount(value))
        for resource, number in total.items():
            found[f"{part}.{resource}"] = number
            if part == "requests" and resource in _OF_NODES:
                found[resource] = number
    return found


def _sum(containers: Iterable[Mapping[str, Any]], part: str) -> dict[str, Decimal]:
    total: dict[str, Decimal] = {}
    for container in containers:
        for resource, value in _asked(container, part).items():
            total[resource] = total.get(resource, Decimal(0)) + amount(value)
    return total


def _asked(container: Mapping[str, Any], part: str) -> dict[str, Any]:
    """Return requests or limits; what is not requested is taken from the limits."""
    given = container.get("resources") or {}
    limits = given.get("limits") or {}
    if part == "limits":
        return dict(limits)
    return {**limits, **(given.get("requests") or {})}


def _containers(pod: Mapping[str, Any]) -> Iterator[Mapping[str, Any]]:
    spec = pod.get("spec") or {}
    yield from spec.get("initContainers") or ()
    yield from spec.get("containers") or ()
