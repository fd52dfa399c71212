"""A cluster's configuration, read as the controller reads it."""

from __future__ import annotations

from rouse.compiler.config import CONFIG_MAP, CONFIG_NAMESPACE, KSERVE_CONFIG_MAP, Config
from rouse.controllers.inferenceservice.sources import KSERVE_NAMESPACE
from rouse.errors import NotFoundError
from rouse.kube.client import KubeClient
from rouse.kube.objects import Object
from rouse.kube.resources import CONFIG_MAPS

__all__ = ["live_config", "live_config_map"]


async def live_config(client: KubeClient) -> Config:
    """Return the configuration of the cluster; raises ConfigError when it cannot be used."""
    kserve = await live_config_map(client, KSERVE_NAMESPACE, KSERVE_CONFIG_MAP)
    own = await live_config_map(client, CONFIG_NAMESPACE, CONFIG_MAP)
    base = Config.from_kserve(kserve.get("data") or {}) if kserve else None
    return Config.from_config_map(own, base=base)


async def live_config_map(client: KubeClient, namespace: str, name: str) -> Object | None:
    """Return a ConfigMap, or None when it is not there."""
    try:
        return await client.get(CONFIG_MAPS, name, namespace)
    except NotFoundError:
        return None
