"""The reconcile of one node: its LocalModelNode, and the labels that say what it has."""

from __future__ import annotations

import logging
from collections.abc import Callable, Mapping

from rouse.api.base import Object
from rouse.api.localmodelnode.names import is_on_demand
from rouse.controllers.localmodel.services import readers_of
from rouse.controllers.localmodel.sources import LOCAL_NODES, Sources
from rouse.controllers.localmodel.wanted import make_labels, make_models, make_node
from rouse.errors import NotFoundError
from rouse.kube.apply import apply_if_differs
from rouse.kube.client import KubeClient
from rouse.kube.controller import Requeue
from rouse.kube.objects import Key
from rouse.kube.resources import NODES

__all__ = ["NodeReconciler"]

logger = logging.getLogger(__name__)


class NodeReconciler:
    """Brings a node's LocalModelNode to what caches and services want. Level-based.

    ``planned`` says which locations a node is to have on demand, each with its group; None: that is
    not known yet.
    """

    def __init__(
        self,
        client: KubeClient,
        sources: Sources,
        planned: Callable[[str], Mapping[str, str] | None],
    ) -> None:
        self._client = client
        self._sources = sources
        self._planned = planned

    async def __call__(self, key: Key) -> Requeue | None:
        """Reconcile one node; raises what makes a retry necessary."""
        node = self._sources.nodes.get(key)
        local = self._sources.local_nodes.get(key)
        if node is None or node["metadata"].get("deletionTimestamp"):
            if local is not None and node is None:
                await self._forget(key)
            return None
        models = make_models(
            node,
            self._sources.groups_by_name(),
            self._sources.all_caches(),
            self._demanded(key.name, local),
            readers_of(self._sources.uses()),
        )
        if models or local is not None:
            await apply_if_differs(self._client, make_node(node, models), local)
        labels = make_labels(node, local)
        if labels:
            await self._client.patch(NODES, key.name, {"metadata": {"labels": labels}})
        return None

    def _demanded(self, node: str, local: Object | None) -> Mapping[str, str]:
        """Locations by the plan, each with its group; those there already, while there is none."""
        planned = self._planned(node)
        if planned is not None:
            return planned
        return {
            each["sourceModelUri"]: each.get("nodeGroup", "")
            for each in ((local or {}).get("spec") or {}).get("localModels") or ()
            if is_on_demand(each["modelName"])
        }

    async def _forget(self, key: Key) -> None:
        """The node is gone, and its disk: nobody waits for it."""
        try:
            await self._client.delete(LOCAL_NODES, key.name)
        except NotFoundError:
            return
        logger.info("node %s is gone, and its LocalModelNode", key.name)
