"""The node's cache of models, for the containers that would fetch.

Two folders are mounted where the node has them, read-only: what the pod's namespace may read, and
what all may. A model that is there is read in place, and one that is not, or is damaged, comes from
its origin. Nothing waits for the cache.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final

from rouse.api.base import Object
from rouse.api.localmodelnode.names import node_label
from rouse.compiler.config import Config
from rouse.compiler.merge import merge_container
from rouse.compiler.podwebhook.containers import annotations_of
from rouse.compiler.podwebhook.initializer import INITIALIZER_CONTAINER
from rouse.compiler.storage.names import CACHED_ANNOTATION
from rouse.compiler.storage.spec import custom_uri
from rouse.errors import ConfigError

__all__ = ["with_cache"]

_VOLUME: Final = "rouse-model-cache"
_SHARED: Final = "rouse-model-cache-shared"
_VARIABLE: Final = "ROUSE_MODEL_CACHE"
_KEPT: Final = "ROUSE_MODEL_CACHE_KEPT"
_WEIGHT: Final = 50
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def with_cache(pod: Object, config: Config) -> Object:
    """Return the pod that reads the node's cache and prefers nodes that have its model."""
    uri = annotations_of(pod).get(CACHED_ANNOTATION)
    path = _folder(config) if uri else ""
    spec = pod["spec"]
    volumes = spec.get("volumes") or []
    if not uri or not path or any(each["name"] == _VOLUME for each in volumes):
        return pod
    views = _views(path, pod["metadata"]["namespace"])
    mounted = [
        {"name": name, "hostPath": {"path": folder, "type": "DirectoryOrCreate"}}
        for name, folder in views.items()
    ]
    changed = {
        **spec,
        "containers": [_reading(each, views) for each in spec["containers"]],
        "volumes": [*volumes, *mounted],
        "affinity": _preferring(spec.get("affinity") or {}, uri),
    }
    if spec.get("initContainers"):
        changed["initContainers"] = [_reading(each, views) for each in spec["initContainers"]]
    return {**pod, "spec": changed}


def _views(path: str, namespace: str) -> dict[str, str]:
    """Volume -> folder, as the agents of nodes fill them; its own come first."""
    views = f"{path.rstrip('/')}/views"
    return {_VOLUME: f"{views}/namespaces/{namespace}", _SHARED: f"{views}/shared"}


def _folder(config: Config) -> str:
    try:
        return config.model_cache.host_path
    except ConfigError:
        # A slip in this setting costs the cache, and no pod.
        return ""


def _reading(container: Object, views: Mapping[str, str]) -> Object:
    fetches = custom_uri(container.get("env") or ())
    if not fetches and container["name"] != INITIALIZER_CONTAINER:
        return container
    mounts = [
        {"name": name, "mountPath": folder, "readOnly": True} for name, folder in views.items()
    ]
    # The agent asks origins for new revisions: who is woken need not.
    folders = ":".join(views.values())
    env = [{"name": _VARIABLE, "value": folders}, {"name": _KEPT, "value": "true"}]
    told = {"env": env, "volumeMounts": mounts}
    # What the user says of the variable wins.
    return merge_container({"name": container["name"], **told}, container)


def _preferring(affinity: Mapping[str, Any], uri: str) -> Object:
    """Nodes that have the model come first, by the label that the controller keeps."""
    nodes = affinity.get("nodeAffinity") or {}
    has = {"matchExpressions": [{"key": node_label(uri), "operator": "Exists"}]}
    terms = [*(nodes.get(_PREFERRED) or ()), {"weight": _WEIGHT, "preference": has}]
    return {**affinity, "nodeAffinity": {**nodes, _PREFERRED: terms}}
