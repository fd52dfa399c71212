"""What a node shall have, and how far a cache is. Pure."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from rouse.api.base import Object
from rouse.api.localmodelcache.lifecycle import count_copies, node_state
from rouse.api.localmodelcache.types import NodeState
from rouse.api.localmodelnode.names import LABEL_PREFIX, demand_name, model_key, node_label
from rouse.controllers.localmodel.selection import is_ready, of_group
from rouse.controllers.localmodel.services import Use, uses_cache
from rouse.kube.objects import Key, key_of

__all__ = ["is_wanted", "make_labels", "make_models", "make_node", "make_status"]

_MOST_LABELS: Final = 500
_CREDENTIALS: Final = ("serviceAccountName", "storage")


def is_wanted(cache: Mapping[str, Any]) -> bool:
    """Whether a cache is not being deleted."""
    return not cache["metadata"].get("deletionTimestamp")


def make_models(
    node: Mapping[str, Any],
    groups: Mapping[str, Object],
    caches: Iterable[Object],
    demanded: Mapping[str, str],
    readers: Mapping[str, Iterable[str]],
) -> list[Object]:
    """Return a node's localModels: those of the caches, then those that services want, by name.

    ``demanded`` are locations that services want here, each with its LocalModelNodeGroup, and
    ``readers`` the namespaces of those services, by location: each is named, for it alone may read
    the model.
    """
    mine = {name for name, group in groups.items() if of_group(node, group)}
    models = [
        _of_cache(cache, group)
        for cache in caches
        if is_wanted(cache)
        for group in [next((g for g in cache["spec"]["nodeGroups"] if g in mine), None)]
        if group is not None
    ]
    cached = {(each["sourceModelUri"], each.get("namespace", "")) for each in models}
    wanted = [
        {
            "modelName": demand_name(uri),
            "sourceModelUri": uri,
            "namespace": namespace,
            "nodeGroup": group,
        }
        for uri, group in demanded.items()
        for namespace in readers.get(uri, ())
        if cached.isdisjoint(((uri, ""), (uri, namespace)))
    ]
    return sorted(models, key=model_key) + sorted(wanted, key=model_key)


def make_node(node: Mapping[str, Any], models: Sequence[Object]) -> Object:
    """Return the LocalModelNode of a node; it goes with its node."""
    owner = {"apiVersion": "v1", "kind": "Node", **_identity(node)}
    return {
        "apiVersion": "serving.kserve.io/v1alpha1",
        "kind": "LocalModelNode",
        "metadata": {"name": node["metadata"]["name"], "ownerReferences": [owner]},
        "spec": {"localModels": list(models)},
    }


def make_labels(node: Mapping[str, Any], local: Mapping[str, Any] | None) -> dict[str, str | None]:
    """Return the labels to set or (None) to take away, so that pods find the node's models."""
    states = ((local or {}).get("status") or {}).get("modelStatus") or {}
    models = ((local or {}).get("spec") or {}).get("localModels") or []
    here = [m["sourceModelUri"] for m in models if states.get(model_key(m)) == "ModelDownloaded"]
    wanted = {node_label(uri): "true" for uri in sorted(here)[:_MOST_LABELS]}
    known = node["metadata"].get("labels") or {}
    changes: dict[str, str | None] = {
        name: None for name in known if name.startswith(LABEL_PREFIX) and name not in wanted
    }
    return changes | {name: value for name, value in wanted.items() if known.get(name) != value}


def make_status(
    cache: Mapping[str, Any],
    groups: Mapping[str, Object],
    nodes: Iterable[Object],
    locals_: Mapping[str, Object],
    uses: Iterable[Use],
) -> Object:
    """Return the status of a cache: each node's state, copies, and the services that use it."""
    wanted = [groups[name] for name in cache["spec"]["nodeGroups"] if name in groups]
    states: dict[str, NodeState] = {}
    for node in nodes:
        if any(of_group(node, group) for group in wanted):
            name = node["metadata"]["name"]
            states[name] = node_state(
                ready=is_ready(node), model=_state(locals_.get(name), key_of(cache))
            )
    copies = count_copies(states).to_object()
    services = sorted(use.service for use in uses if uses_cache(use, cache))
    return {
        "nodeStatus": dict(sorted(states.items())),
        "copies": copies,
        "inferenceServices": [{"name": e.name, "namespace": e.namespace} for e in services],
    }


def _of_cache(cache: Mapping[str, Any], group: str) -> Object:
    spec, key = cache["spec"], key_of(cache)
    model: Object = {"modelName": key.name, "sourceModelUri": spec["sourceModelUri"]}
    if key.namespace:
        model["namespace"] = key.namespace
    model["nodeGroup"] = group
    for name in _CREDENTIALS:
        if spec.get(name):
            model[name] = spec[name]
    return model


def _state(local: Mapping[str, Any] | None, key: Key) -> Any:
    states = ((local or {}).get("status") or {}).get("modelStatus") or {}
    return states.get(str(key))


def _identity(obj: Mapping[str, Any]) -> Object:
    return {"name": obj["metadata"]["name"], "uid": obj["metadata"]["uid"]}
