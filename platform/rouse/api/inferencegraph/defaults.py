"""What an InferenceGraph means where it does not say; applied when it is read, not stored."""

from __future__ import annotations

from rouse.api.inferencegraph.types import InferenceGraph, Node, Step

__all__ = ["DEFAULT_MIN_REPLICAS", "default"]

DEFAULT_MIN_REPLICAS = 1


def default(graph: InferenceGraph) -> InferenceGraph:
    """Return the graph with everything it leaves open filled in; the argument stays as it is.

    Applying it again changes nothing.
    """
    spec = graph.spec
    changes: dict[str, object] = {
        "nodes": {name: _node(node) for name, node in spec.nodes.items()},
    }
    if spec.min_replicas is None:
        changes["min_replicas"] = DEFAULT_MIN_REPLICAS
    return graph.model_copy(update={"spec": spec.model_copy(update=changes)})


def _node(node: Node) -> Node:
    steps = [_step(step) for step in node.steps or ()]
    return node.model_copy(update={"steps": steps})


def _step(step: Step) -> Step:
    return step.model_copy(
        update={"data": step.data or "$request", "dependency": step.dependency or "Soft"}
    )
