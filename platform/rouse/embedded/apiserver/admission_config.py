"""The installation's settings, as admission reads them of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.records import Key
from rouse.embedded.apiserver.store import Store
from rouse.errors import ConfigError

if TYPE_CHECKING:
    from rouse.compiler.config import Config

__all__ = ["default_mode", "read_config", "storage_containers"]

_CONFIG_MAPS = "/configmaps"
_PLACES = (Key("kserve", "inferenceservice-config"), Key("rouse-system", "rouse-config"))
"""KServe's settings, and Rouse's over them; the names are those of `rouse.compiler.config`."""
_STORAGE_CONTAINERS = "serving.kserve.io/clusterstoragecontainers"
_MODE_KEY = "defaultDeploymentMode"


def read_config(store: Store) -> Config:
    """Return the settings as the controllers read them; raises ConfigError."""
    from rouse.compiler.config import Config

    kserve, own = (_config_map(store, place) for place in _PLACES)
    base = Config.from_kserve(kserve.get("data") or {}) if kserve else None
    return Config.from_config_map(own, base=base)


def default_mode(store: Store) -> str:
    """Return the mode of services that name none."""
    from rouse.api.inferenceservice.modes import KNATIVE

    # Most installations leave it alone: for them the compiler's settings need no import here.
    if not any(_MODE_KEY in str(_config_map(store, place)) for place in _PLACES):
        return KNATIVE
    try:
        return read_config(store).default_deployment_mode
    except ConfigError:
        # Whoever wrote it is told by the controllers; no service is refused for it.
        return KNATIVE


def storage_containers(store: Store) -> list[Object]:
    """Return the ClusterStorageContainers."""
    return [record.object() for record in store.records(_STORAGE_CONTAINERS, "")]


def _config_map(store: Store, place: Key) -> Object | None:
    found = store.head(_CONFIG_MAPS, place)
    return found.object() if found else None
