"""How the states of the nodes add up to the copies of a model."""

from __future__ import annotations

from collections.abc import Mapping

from rouse.api.localmodelcache.types import Copies, NodeState
from rouse.api.localmodelnode.types import ModelState

__all__ = ["count_copies", "node_state"]

_DOWNLOADED: NodeState = "NodeDownloaded"
_FAILED: NodeState = "NodeDownloadError"

_STATES: Mapping[ModelState, NodeState] = {
    "": "NodeDownloadPending",
    "ModelDownloadPending": "NodeDownloadPending",
    "ModelDownloading": "NodeDownloading",
    "ModelDownloaded": "NodeDownloaded",
    "ModelDownloadError": "NodeDownloadError",
}


def node_state(*, ready: bool, model: ModelState | None) -> NodeState:
    """Return the state of one node; ``model`` is what its LocalModelNode says of the model."""
    if model == "ModelDownloaded":
        # A copy on a disk stays when its node is away for a while.
        return _DOWNLOADED
    return _STATES[model or ""] if ready else "NodeNotReady"


def count_copies(nodes: Mapping[str, NodeState]) -> Copies:
    """Count the nodes that shall have, have, and failed to get a copy."""
    states = list(nodes.values())
    return Copies(
        total=len(states), available=states.count(_DOWNLOADED), failed=states.count(_FAILED)
    )
