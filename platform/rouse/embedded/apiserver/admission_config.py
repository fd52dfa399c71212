"""The installation's settings, as admission reads them of the store."""

from __future__ import annotations

from typing import TYPE_CHECKING

from rouse.embedded.apiserver.admission import Operation, Plugin
from rouse.embedded.apiserver.errors import Object
from rouse.embedded.apiserver.records import Key
from rouse.embedded.apiserver.resources import Resource
from rouse.embedded.apiserver.store import Store
from rouse.errors import ConfigError, FieldError, ValidationError

if TYPE_CHECKING:
    from rouse.compiler.config import Config

__all__ = ["default_mode", "read_config", "settings_admission", "storage_containers"]

_CONFIG_MAPS = "/configmaps"
_PLACES = (Key("kserve", "inferenceservice-config"), Key("rouse-system", "rouse-config"))
"""KServe's settings, and Rouse's over them; the names are those of `rouse.compiler.config`."""
_STORAGE_CONTAINERS = "serving.kserve.io/clusterstoragecontainers"
_MODE_KEY = "defaultDeploymentMode"


def settings_admission(store: Store) -> Plugin:
    """A plugin that refuses settings that cannot be used, in a webhook's words."""

    def review_settings(
        _operation: Operation, obj: Object, old: Object | None, resource: Resource
    ) -> Object:
        metadata = obj["metadata"]
        place = Key(metadata.get("namespace", ""), metadata.get("name", ""))
        if resource.bucket != _CONFIG_MAPS or place not in _PLACES:
            return obj
        from rouse.compiler.config.in_force import judge

        judged = judge(place.name, obj, old, _config_map(store, _PLACES[0]))
        if judged.refusal:
            found = [FieldError(f"data.{each.path}", each.message) for each in judged.findings]
            raise ValidationError("ConfigMap", place.name, found)
        return obj

    return review_settings


def read_config(store: Store) -> Config:
    """Return the settings; ConfigError where one is read that a slip in a ConfigMap hides."""
    from rouse.compiler.config.in_force import InForce

    kserve, own = (_config_map(store, place) for place in _PLACES)
    in_force = InForce()
    in_force.take(own, kserve)
    return in_force.config


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
