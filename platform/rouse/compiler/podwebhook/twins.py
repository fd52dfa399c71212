"""A folder of the node in which a pod keeps its model's twin for the pods after it.

Of all that the node keeps it is the one folder that a pod may write to: of its own namespace and
its own model, so that who writes there runs that model anyway.
"""

from __future__ import annotations

from typing import Final

from rouse.api.base import Object
from rouse.api.localmodelnode.names import TWINS, twin_folder
from rouse.compiler.merge import merge_container
from rouse.compiler.podwebhook.containers import annotations_of
from rouse.compiler.storage.spec import custom_uri

__all__ = ["with_twins"]

_VOLUME: Final = "rouse-model-twins"
_VARIABLE: Final = "ROUSE_TWIN_CACHE"
_COMMAND: Final = "embedded.rouse.dev/command"
_TRANSLATE: Final = tuple(f'"predictors.{name}"' for name in ("sklearn", "xgboost", "lightgbm"))
"""Rouse's own servers whose models have twins."""


def with_twins(pod: Object, path: str, uri: str) -> Object:
    """Return the pod that may write the twin of the model ``uri`` to the node's cache ``path``.

    A pod of another server, or one that wants no twin, stays as it is.
    """
    command = annotations_of(pod).get(_COMMAND, "")
    if not any(server in command for server in _TRANSLATE):
        return pod
    own = twin_folder(pod["metadata"]["namespace"], uri)
    folder = f"{path.rstrip('/')}/{TWINS}/{own}"
    spec = pod["spec"]
    containers = [_writing(each, folder) for each in spec["containers"]]
    if containers == spec["containers"]:
        return pod
    source = {"path": folder, "type": "DirectoryOrCreate"}
    volumes = [*(spec.get("volumes") or ()), {"name": _VOLUME, "hostPath": source}]
    return {**pod, "spec": {**spec, "containers": containers, "volumes": volumes}}


def _writing(container: Object, folder: str) -> Object:
    env = container.get("env") or ()
    said = {each["name"]: each.get("value") for each in env}
    if not custom_uri(env) or _VARIABLE in said or said.get("ROUSE_TWIN") == "off":
        return container
    told = {
        "env": [{"name": _VARIABLE, "value": folder}],
        "volumeMounts": [{"name": _VOLUME, "mountPath": folder}],
    }
    return merge_container(told, container)
