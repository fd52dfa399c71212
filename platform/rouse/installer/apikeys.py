"""Whether API keys are checked: the authorizer, and that Istio asks it."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Final

import yaml

from rouse.compiler.config import CONFIG_NAMESPACE, Config
from rouse.installer.authorizer import GATEWAY_NAMESPACE, NAME, option_of
from rouse.installer.cluster import Cluster
from rouse.installer.findings import Finding
from rouse.installer.waiting import problem_of
from rouse.kube.objects import Object

__all__ = ["examine_authorizer", "examine_provider"]

_MESH: Final = ("istio", "istio-system")


async def examine_authorizer(
    cluster: Cluster, config: Config, namespaces: Iterable[str], *, again: str
) -> Finding:
    """Say whether the authorizer is there, and looks where the gateway and the keys are.

    ``namespaces`` have models that ask for keys; ``again`` is the command that brings the present
    installation. Raises ApiError.
    """
    what, name = "API keys: authorizer", NAME
    live = await cluster.get("apps/v1", "Deployment", name, CONFIG_NAMESPACE)
    if live is None:
        detail = "models with API keys answer 503 to everybody"
        return Finding(what, "missing", detail, f"{again} --component api-keys")
    if problem := problem_of(live):
        fix = f"kubectl describe pods -n {CONFIG_NAMESPACE} -l app.kubernetes.io/name={name}"
        return Finding(what, "not ready", problem, fix)
    return _scope(what, live, config.auth.gateway_namespace, namespaces, again)


def _scope(
    what: str, deployment: Object, gateway: str, namespaces: Iterable[str], again: str
) -> Finding:
    assumed = option_of(deployment, "--gateway-namespace") or GATEWAY_NAMESPACE
    if assumed != gateway:
        detail = (
            f"it looks for policies in {assumed}, and auth.gatewayNamespace is {gateway}: models "
            "with API keys answer 503 to everybody"
        )
        return Finding(what, "invalid", detail, f"{again} --gateway-namespace {gateway}")
    read = option_of(deployment, "--namespaces").split(",")
    if read != [""] and (unread := sorted(set(namespaces) - set(read))):
        detail = f"it may not read keys in {', '.join(unread)}: models there answer 503 to them"
        wanted = ",".join([*read, *unread])
        return Finding(what, "invalid", detail, f"{again} --authorizer-namespaces {wanted}")
    return Finding(what, "ok")


async def examine_provider(cluster: Cluster, config: Config) -> Finding:
    """Say whether Istio knows the authorizer. Raises ApiError."""
    name, (config_map, namespace) = config.auth.api_keys.provider, _MESH
    what = f"API keys: provider {name}"
    live = await cluster.get("v1", "ConfigMap", config_map, namespace)
    if live is None:
        detail = f"no ConfigMap {namespace}/{config_map}: look where your Istio has its mesh config"
        return Finding(what, "note", detail)
    try:
        mesh = yaml.safe_load((live.get("data") or {}).get("mesh") or "") or {}
    except yaml.YAMLError:
        mesh = {}
    edit = f"kubectl edit configmap {config_map} -n {namespace}"
    for one in mesh.get("extensionProviders") or ():
        if one.get("name") != name:
            continue
        if (one.get("envoyExtAuthzHttp") or {}).get("failOpen"):
            detail = "failOpen: models with keys are open to all while the authorizer is away"
            return Finding(what, "invalid", detail, edit)
        return Finding(what, "ok")
    detail = "Istio does not know it and lets nobody in; docs/access.md has what to add"
    return Finding(what, "missing", detail, edit)
