"""What a cluster lacks for Rouse and for given objects, and the command that mends each."""

from __future__ import annotations

import re
from collections.abc import AsyncIterator, Iterable, Iterator, Mapping

from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, KSERVE_CONFIG_MAP, Config
from rouse.compiler.needs import FEATURES_CONFIG_MAP, Kind, Needs
from rouse.controllers.inferenceservice.sources import KSERVE_NAMESPACE
from rouse.errors import ConfigError, NotFoundError
from rouse.installer.findings import Finding, because
from rouse.installer.remedies import INSTALL_COMMANDS, NET_ISTIO, merge_command
from rouse.kube.client import KubeClient
from rouse.kube.requests import ApiRequest
from rouse.kube.resources import (
    CLUSTER_SERVING_RUNTIMES,
    GATEWAYS,
    INFERENCE_GRAPHS,
    INFERENCE_SERVICES,
    KNATIVE_SERVICES,
    REVISIONS,
    SERVING_RUNTIMES,
    VIRTUAL_SERVICES,
    Resource,
)
from rouse.sdk.live import live_config, live_config_map

__all__ = ["examine", "unchecked"]

_LEAST_VERSION = (1, 22)
"""Server-side apply is stable since then; Rouse writes by nothing else."""
_IMAGE_VOLUMES_VERSION = (1, 31)
_IMAGE_VOLUMES = "kubernetes.podspec-volumes-image"

_ALWAYS: tuple[Resource, ...] = (
    INFERENCE_SERVICES,
    INFERENCE_GRAPHS,
    SERVING_RUNTIMES,
    CLUSTER_SERVING_RUNTIMES,
    KNATIVE_SERVICES,
    REVISIONS,
    VIRTUAL_SERVICES,
    GATEWAYS,
)


def unchecked(needs: Needs) -> Iterator[Finding]:
    """Yield what is needed, where there is no cluster to ask."""
    for feature, why in needs.features.items():
        yield Finding(feature, "needed", because(why), _enable(feature))
    for kind, why in needs.kinds.items():
        yield Finding(str(kind), "needed", because(why), INSTALL_COMMANDS.get(kind.group, ""))


async def examine(client: KubeClient, needs: Needs) -> AsyncIterator[Finding]:
    """Yield what the cluster has and lacks. Raises ApiError when it cannot be asked."""
    version, finding = await _version(client, needs)
    yield finding
    wanted = {Kind(each.group, each.version, each.kind): () for each in _ALWAYS} | dict(needs.kinds)
    async for finding in _kinds(client, wanted):
        yield finding
    config, finding = await _config(client)
    yield finding
    given = {config.ingress_gateway, config.local_gateway, config.tls_gateway, *needs.gateways}
    for gateway in sorted(filter(None, given)):
        yield await _gateway(client, gateway)
    # The embedded engine takes every field: a flag would keep nothing out.
    if needs.features and "rouse" not in version:
        async for finding in _features(client, needs.features):
            yield finding


async def _version(client: KubeClient, needs: Needs) -> tuple[str, Finding]:
    told = await client.send(ApiRequest("GET", "/version"))
    version = str(told.get("gitVersion", ""))
    numbers = re.match(r"v?(\d+)\.(\d+)", version)
    have = (int(numbers[1]), int(numbers[2])) if numbers else (0, 0)
    least, why = _LEAST_VERSION, "Rouse writes by server-side apply"
    if _IMAGE_VOLUMES in needs.features:
        least, why = _IMAGE_VOLUMES_VERSION, "models are mounted as image volumes"
    if have < least:
        detail = f"{version or 'unknown'}; at least {least[0]}.{least[1]} is needed: {why}"
        return version, Finding("Kubernetes API", "too old", detail)
    return version, Finding("Kubernetes API", "ok", version)


async def _kinds(
    client: KubeClient, wanted: Mapping[Kind, Iterable[str]]
) -> AsyncIterator[Finding]:
    offered: dict[tuple[str, str], set[str]] = {}
    for kind in sorted(wanted):
        place = (kind.group, kind.version)
        if place not in offered:
            offered[place] = await _offered(client, *place)
        if kind.kind in offered[place]:
            yield Finding(str(kind), "ok")
        else:
            yield Finding(
                str(kind), "missing", because(wanted[kind]), INSTALL_COMMANDS.get(kind.group, "")
            )


async def _offered(client: KubeClient, group: str, version: str) -> set[str]:
    try:
        listed = await client.send(ApiRequest("GET", f"/apis/{group}/{version}"))
    except NotFoundError:
        return set()
    return {str(each["kind"]) for each in listed.get("resources") or ()}


async def _config(client: KubeClient) -> tuple[Config, Finding]:
    name = f"ConfigMap {CONFIG_NAMESPACE}/{CONFIG_MAP}"
    try:
        return await live_config(client), Finding(name, "ok")
    except ConfigError as error:
        place = (CONFIG_NAMESPACE, CONFIG_MAP)
        if KSERVE_CONFIG_MAP in str(error):
            place = (KSERVE_NAMESPACE, KSERVE_CONFIG_MAP)
        fix = f"kubectl edit configmap {place[1]} -n {place[0]}"
        return Config(), Finding(name, "invalid", str(error), fix)


async def _gateway(client: KubeClient, gateway: str) -> Finding:
    namespace, _, name = gateway.partition("/")
    try:
        await client.get(GATEWAYS, name, namespace)
    except NotFoundError:
        detail = f"change ingressGateway or localGateway of {CONFIG_MAP} if it has another name"
        return Finding(f"Gateway {gateway}", "missing", detail, NET_ISTIO)
    return Finding(f"Gateway {gateway}", "ok")


async def _features(
    client: KubeClient, features: Mapping[str, tuple[str, ...]]
) -> AsyncIterator[Finding]:
    live = await live_config_map(client, *FEATURES_CONFIG_MAP)
    data = (live or {}).get("data") or {}
    for feature, why in features.items():
        if str(data.get(feature, "")).lower() in ("enabled", "allowed"):
            yield Finding(feature, "ok")
        else:
            yield Finding(feature, "disabled", because(why), _enable(feature))


def _enable(feature: str) -> str:
    namespace, name = FEATURES_CONFIG_MAP
    return merge_command(namespace, name, {feature: "enabled"})
