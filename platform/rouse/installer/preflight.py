"""What a cluster must have before anything of it is changed."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Mapping
from typing import Final

from rouse.compiler.config import CONFIG_NAMESPACE
from rouse.installer.cluster import Cluster
from rouse.installer.findings import Finding, because
from rouse.installer.policy import Policy, policy_of, wanted_of
from rouse.installer.remedies import INSTALL_COMMANDS, merge_command
from rouse.kube.objects import Object
from rouse.kube.resources import (
    GATEWAYS,
    KNATIVE_SERVICES,
    REVISIONS,
    SCALED_OBJECTS,
    VIRTUAL_SERVICES,
)

__all__ = ["examine_knative", "numbers_of", "other_controller", "preflight"]

_LEAST_KUBERNETES: Final = (1, 30)
_LEAST_KNATIVE: Final = (1, 15)
_FOLLOWED: Final = (KNATIVE_SERVICES, REVISIONS, VIRTUAL_SERVICES, GATEWAYS)
"""Kinds that Rouse does not define and its controller cannot do without."""
_VERSION_LABEL: Final = "app.kubernetes.io/version"
_KSERVE: Final = ("kserve", "kserve-controller-manager")


async def preflight(cluster: Cluster, objects: Iterable[Object]) -> AsyncIterator[Finding]:
    """Yield what the cluster has and lacks for these objects. Raises ApiError."""
    objects = list(objects)
    yield _kubernetes(await cluster.version())
    async for finding in _kinds(cluster, objects):
        yield finding
    yield await _knative(cluster)
    yield await _keda(cluster)
    async for finding in _namespaces(cluster, objects):
        yield finding
    async for finding in _kept_keys(cluster, objects):
        yield finding
    async for finding in other_controller(cluster):
        yield finding


async def other_controller(cluster: Cluster) -> AsyncIterator[Finding]:
    """Yield that KServe's own controller runs: two would fight over every InferenceService."""
    namespace, name = _KSERVE
    live = await cluster.get("apps/v1", "Deployment", name, namespace)
    if live and (live.get("spec") or {}).get("replicas", 1):
        yield Finding(
            "KServe's controller",
            "conflict",
            "it follows the same InferenceServices; with it its webhooks must go",
            f"kubectl scale deployment {name} -n {namespace} --replicas=0 && kubectl delete "
            "validatingwebhookconfigurations,mutatingwebhookconfigurations "
            "-l app.kubernetes.io/part-of=kserve",
        )


def numbers_of(version: str) -> tuple[int, int]:
    """Return major and minor of a version such as ``v1.32.4+x``; zeros where it says none."""
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    return (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)


def _kubernetes(version: str) -> Finding:
    # The embedded engine tells the Kubernetes version whose API it serves.
    if numbers_of(version)[0] == 0:  # v0.0.0-master: built from its sources without a version
        least = ".".join(map(str, _LEAST_KUBERNETES))
        detail = f"{version or 'no version'} tells no release; at least {least} is needed"
        return Finding("Kubernetes API", "note", detail)
    if numbers_of(version) < _LEAST_KUBERNETES:
        least = ".".join(map(str, _LEAST_KUBERNETES))
        detail = f"{version}; at least {least} is needed"
        return Finding("Kubernetes API", "too old", detail, "upgrade the cluster")
    return Finding("Kubernetes API", "ok", version)


async def _kinds(cluster: Cluster, objects: Iterable[Object]) -> AsyncIterator[Finding]:
    needed: dict[tuple[str, str], list[str]] = {
        (each.api_version, each.kind): ["rouse-controller follows them"] for each in _FOLLOWED
    }
    defined = set()
    for obj in objects:
        if obj["kind"] == "CustomResourceDefinition":
            spec = obj["spec"]
            for version in spec["versions"]:
                defined.add((f"{spec['group']}/{version['name']}", spec["names"]["kind"]))
        name = f"{obj['kind']} {obj['metadata']['name']}"
        needed.setdefault((obj["apiVersion"], obj["kind"]), []).append(name)
    for (api_version, kind), why in needed.items():
        if (api_version, kind) in defined:
            continue
        if await cluster.find(api_version, kind) is None:
            group = api_version.rpartition("/")[0]
            fix = INSTALL_COMMANDS.get(group, "")
            yield Finding(f"{kind} ({api_version})", "missing", because(why), fix)
        elif "." in api_version and ".k8s.io/" not in api_version:
            yield Finding(f"{kind} ({api_version})", "ok")


async def _knative(cluster: Cluster) -> Finding:
    name = "services.serving.knative.dev"
    live = await cluster.get("apiextensions.k8s.io/v1", "CustomResourceDefinition", name)
    labels: Mapping[str, str] = ((live or {}).get("metadata") or {}).get("labels") or {}
    return examine_knative(labels.get(_VERSION_LABEL, ""))


def examine_knative(version: str) -> Finding:
    """Say whether this version of Knative Serving will do."""
    least = ".".join(map(str, _LEAST_KNATIVE))
    if numbers_of(version)[0] == 0:  # "devel" where it was built from its sources
        detail = f"{version or 'no version'} tells no release; at least {least} is needed"
        return Finding("Knative Serving", "note", detail)
    if numbers_of(version) < _LEAST_KNATIVE:
        fix = INSTALL_COMMANDS["serving.knative.dev"]
        return Finding("Knative Serving", "too old", f"{version}; at least {least} is needed", fix)
    return Finding("Knative Serving", "ok", version)


async def _keda(cluster: Cluster) -> Finding:
    if await cluster.find(SCALED_OBJECTS.api_version, SCALED_OBJECTS.kind):
        return Finding("KEDA", "ok")
    detail = "optional: scaling on metrics in mode Standard; " + INSTALL_COMMANDS["keda.sh"]
    return Finding("KEDA", "note", detail)


async def _namespaces(cluster: Cluster, objects: Iterable[Object]) -> AsyncIterator[Finding]:
    made = {obj["metadata"]["name"] for obj in objects if obj["kind"] == "Namespace"}
    needed: dict[str, list[Object]] = {}
    for obj in objects:
        namespace = obj["metadata"].get("namespace")
        if namespace and namespace not in made:
            needed.setdefault(namespace, []).append(obj)
    for namespace, inside in sorted(needed.items()):
        if await cluster.get("v1", "Namespace", namespace):
            continue
        names = because(f"{obj['kind']} {obj['metadata']['name']}" for obj in inside)
        if all(policy_of(obj) is not Policy.OWN for obj in inside):
            yield Finding(f"Namespace {namespace}", "note", f"not there: {names} will be left out")
        else:
            yield Finding(f"Namespace {namespace}", "missing", names, _namespace_fix(namespace))


async def _kept_keys(cluster: Cluster, objects: Iterable[Object]) -> AsyncIterator[Finding]:
    """Yield settings of Knative that somebody has set otherwise than Rouse would."""
    for obj in objects:
        place = obj["metadata"].get("namespace", "")
        if policy_of(obj) is not Policy.MERGE or place == CONFIG_NAMESPACE:
            continue
        name = obj["metadata"]["name"]
        live = await cluster.live(obj)
        for key in wanted_of(obj, live)[1]:
            have, want = (live or {})["data"][key], obj["data"][key]
            fix = merge_command(place, name, {key: want})
            detail = f'is "{have}" and stays so; Rouse would have "{want}": {fix}'
            yield Finding(f"{name}: {key}", "note", detail)


def _namespace_fix(namespace: str) -> str:
    group = {"knative-serving": "serving.knative.dev", "istio-system": "networking.istio.io"}
    known = group.get(namespace)
    return INSTALL_COMMANDS[known] if known else f"kubectl create namespace {namespace}"
