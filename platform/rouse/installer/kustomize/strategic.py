"""Strategic merge: a part of an object laid over the whole, lists by the keys of their elements."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from typing import Any, Final

from rouse.errors import ConfigError
from rouse.kube.objects import Object, Objects

__all__ = ["merge"]

_KEYS: Final[Mapping[str, str]] = {
    "containers": "name",
    "env": "name",
    "imagePullSecrets": "name",
    "initContainers": "name",
    "topologySpreadConstraints": "topologyKey",
    "volumeMounts": "mountPath",
    "volumes": "name",
    "webhooks": "name",
}
"""Lists of Kubernetes' own kinds that merge element by element, and the key that tells these
apart; every other list is replaced as a whole."""


def merge(obj: Object, patch: Mapping[str, Any]) -> Object:
    """Return the object with the patch laid over it; a null removes, the arguments stay.

    Raises ConfigError for a ``$`` directive: none is needed here, and none is guessed at.
    """
    merged = deepcopy(obj)
    # Lists of custom resources have no keys that Kubernetes knows.
    group = str(obj.get("apiVersion", "")).rpartition("/")[0]
    keys = _KEYS if "." not in group or group.endswith(".k8s.io") else {}
    _merge_map(merged, patch, keys)
    return merged


def _merge_map(into: Object, patch: Mapping[str, Any], keys: Mapping[str, str]) -> None:
    for name, value in patch.items():
        if name.startswith("$"):
            raise ConfigError(f"the patch directive {name} is not rendered here")
        if value is None:
            into.pop(name, None)
        elif isinstance(value, Mapping) and isinstance(into.get(name), dict):
            _merge_map(into[name], value, keys)
        elif isinstance(value, list) and name in keys and isinstance(into.get(name), list):
            into[name] = _merged_list(into[name], value, keys[name], keys)
        else:
            into[name] = deepcopy(value)


def _merged_list(own: Objects, patch: Objects, key: str, keys: Mapping[str, str]) -> Objects:
    rest = {element[key]: element for element in own}
    merged = []
    # As kustomize does: what the patch names comes first, in its order.
    for element in patch:
        known = rest.pop(element[key], {})
        _merge_map(known, element, keys)
        merged.append(known)
    return [*merged, *rest.values()]
