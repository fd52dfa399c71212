"""The node's cache of models, for the containers that would fetch.

Two folders are mounted where the node has them, read-only: what the pod's namespace may read, and
what all may. Or, as on KServe, the claim of the cache that has the model is. A model that is there
is read in place, and one that is not, or is damaged, comes from its origin. Nothing waits for the
cache. A third folder a server of Rouse's may write to: see `twins`.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rouse.api.base import Object
from rouse.api.localmodelnode.names import CLAIM_ANNOTATION, node_label
from rouse.compiler.config import Config
from rouse.compiler.config.kept import ModelCache
from rouse.compiler.merge import merge_container
from rouse.compiler.names import SERVICE_LABEL
from rouse.compiler.podwebhook.containers import annotations_of
from rouse.compiler.podwebhook.initializer import INITIALIZER_CONTAINER
from rouse.compiler.podwebhook.twins import with_twins
from rouse.compiler.storage.facts import NO_FACTS, Facts
from rouse.compiler.storage.names import CACHED_ANNOTATION
from rouse.compiler.storage.spec import custom_uri
from rouse.errors import ConfigError

__all__ = ["with_cache"]

_VOLUME: Final = "rouse-model-cache"
_SHARED: Final = "rouse-model-cache-shared"
_MOUNT: Final = "/mnt/rouse-models"
"""Of a claim, whose folder on the node nobody here knows."""
_VARIABLE: Final = "ROUSE_MODEL_CACHE"
_KEPT: Final = "ROUSE_MODEL_CACHE_KEPT"
_WEIGHT: Final = 50
_PREFERRED: Final = "preferredDuringSchedulingIgnoredDuringExecution"


def with_cache(pod: Object, config: Config, facts: Facts = NO_FACTS) -> Object:
    """Return the pod that reads the node's cache and prefers nodes that have its model."""
    if any(each["name"] == _VOLUME for each in pod["spec"].get("volumes") or ()):
        return pod
    settings = _settings(config)
    claim = _claim(pod, facts) if settings.claims else ""
    if claim:
        source: Object = {"claimName": claim, "readOnly": True}
        # Its volume says on which nodes the pod can be.
        folders = (_MOUNT, *_views(_MOUNT, pod["metadata"]["namespace"]).values())
        return _mounting(pod, {_VOLUME: _MOUNT}, [{"persistentVolumeClaim": source}], folders)
    uri = annotations_of(pod).get(CACHED_ANNOTATION)
    if not uri or not settings.host_path:
        return pod
    views = _views(settings.host_path, pod["metadata"]["namespace"])
    sources: list[Object] = [
        {"hostPath": {"path": folder, "type": "DirectoryOrCreate"}} for folder in views.values()
    ]
    pod = _mounting(pod, views, sources, tuple(views.values()))
    if settings.twins:
        pod = with_twins(pod, settings.host_path, uri)
    affinity = _preferring(pod["spec"].get("affinity") or {}, uri)
    return {**pod, "spec": {**pod["spec"], "affinity": affinity}}


def _mounting(
    pod: Object, places: Mapping[str, str], sources: Iterable[Object], folders: Sequence[str]
) -> Object:
    """The pod whose containers that fetch look into ``folders`` first.

    ``places``: volume -> where it is mounted, each of its one of ``sources``.
    """
    spec = pod["spec"]
    containers = [_reading(each, places, folders) for each in spec["containers"]]
    initializers = [_reading(each, places, folders) for each in spec.get("initContainers") or ()]
    if [*containers, *initializers] == [*spec["containers"], *(spec.get("initContainers") or ())]:
        return pod
    volumes = [{"name": name, **source} for name, source in zip(places, sources, strict=True)]
    changed = {
        **spec,
        "containers": containers,
        "volumes": [*(spec.get("volumes") or ()), *volumes],
    }
    if initializers:
        changed["initContainers"] = initializers
    return {**pod, "spec": changed}


def _claim(pod: Object, facts: Facts) -> str:
    """The claim that the pod's InferenceService names; empty: no node has its model."""
    name = (pod["metadata"].get("labels") or {}).get(SERVICE_LABEL, "")
    service = facts.services.get(name) or {}
    return str(((service.get("metadata") or {}).get("annotations") or {}).get(CLAIM_ANNOTATION, ""))


def _views(path: str, namespace: str) -> dict[str, str]:
    """Volume -> folder, as the agents of nodes fill them; its own come first."""
    views = f"{path.rstrip('/')}/views"
    return {_VOLUME: f"{views}/namespaces/{namespace}", _SHARED: f"{views}/shared"}


def _settings(config: Config) -> ModelCache:
    try:
        return config.model_cache
    except ConfigError:
        # A slip in this setting costs the cache, and no pod.
        return ModelCache()


def _reading(container: Object, places: Mapping[str, str], folders: Sequence[str]) -> Object:
    fetches = custom_uri(container.get("env") or ())
    if not fetches and container["name"] != INITIALIZER_CONTAINER:
        return container
    mounts = [
        {"name": name, "mountPath": place, "readOnly": True} for name, place in places.items()
    ]
    # The agent asks origins for new revisions: who is woken need not.
    env = [{"name": _VARIABLE, "value": ":".join(folders)}, {"name": _KEPT, "value": "true"}]
    told = {"env": env, "volumeMounts": mounts}
    # What the user says of the variable wins.
    return merge_container({"name": container["name"], **told}, container)


def _preferring(affinity: Mapping[str, Any], uri: str) -> Object:
    """Nodes that have the model come first, by the label that the controller keeps."""
    nodes = affinity.get("nodeAffinity") or {}
    has = {"matchExpressions": [{"key": node_label(uri), "operator": "Exists"}]}
    terms = [*(nodes.get(_PREFERRED) or ()), {"weight": _WEIGHT, "preference": has}]
    return {**affinity, "nodeAffinity": {**nodes, _PREFERRED: terms}}
