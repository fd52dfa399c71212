"""The status of a LocalModelNodeGroup: how full the fullest of its nodes is."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any

from rouse.api.base import Object
from rouse.api.localmodelnode.names import model_key
from rouse.api.quantities import amount
from rouse.controllers.localmodel.sources import GROUPS, Sources
from rouse.kube.client import EventType, KubeClient
from rouse.kube.objects import Key, key_of

__all__ = ["GroupReconciler", "connect_groups", "make_group_status"]


def make_group_status(
    group: Mapping[str, Any], locals_: Iterable[Object], caches: Iterable[Object]
) -> Object:
    """Return the room that models of the group take on a node, and what is left, in bytes.

    Both are of the node that has least left, because ``storageLimit`` is that of each node. A model
    whose size its node does not tell counts as large as its cache says.
    """
    name = group["metadata"]["name"]
    declared = {str(key_of(cache)): _declared(cache) for cache in caches}
    used = max((_used(local, name, declared) for local in locals_), default=0)
    limit = int(amount(group["spec"]["storageLimit"]))
    return {"used": str(used), "available": str(max(0, limit - used))}


def _declared(cache: Mapping[str, Any]) -> int:
    return int(amount(cache["spec"]["modelSize"]))


def _used(local: Mapping[str, Any], group: str, declared: Mapping[str, int]) -> int:
    status = local.get("status") or {}
    states, sizes = status.get("modelStatus") or {}, status.get("modelBytes") or {}
    # Several caches may ask for one location: it is there once.
    found = {
        model["sourceModelUri"]: int(sizes.get(key) or declared.get(key, 0))
        for model in local["spec"].get("localModels") or ()
        for key in [model_key(model)]
        if model.get("nodeGroup") == group and states.get(key) == "ModelDownloaded"
    }
    return sum(found.values())


class GroupReconciler:
    """Writes the status of one LocalModelNodeGroup where it differs."""

    def __init__(self, client: KubeClient, sources: Sources) -> None:
        self._client = client
        self._sources = sources

    async def __call__(self, key: Key) -> None:
        """Reconcile one group; raises what makes a retry necessary."""
        group = self._sources.groups.get(key)
        if group is None:
            return
        locals_ = self._sources.local_nodes.list()
        status = make_group_status(group, locals_, self._sources.all_caches())
        before = group.get("status") or {}
        if any(before.get(name) != value for name, value in status.items()):
            # Not a subresource: KServe's kind has none.
            await self._client.patch(GROUPS, key.name, {"status": status})


def connect_groups(sources: Sources, enqueue: Callable[[Key], None]) -> None:
    """Let the groups and what nodes tell enqueue the groups."""

    def on_group(_type: EventType, obj: Object) -> None:
        enqueue(key_of(obj))

    def on_local(_type: EventType, _obj: Object) -> None:
        for key in sources.groups.all_keys():
            enqueue(key)

    sources.groups.add_handler(on_group)
    sources.local_nodes.add_handler(on_local)
