"""Nodes that call each other in a circle."""

from __future__ import annotations

from collections.abc import Mapping
from graphlib import CycleError, TopologicalSorter

from rouse.api.inferencegraph.types import Node

__all__ = ["find_cycle"]


def find_cycle(nodes: Mapping[str, Node]) -> tuple[str, ...]:
    """Return the names along one circle, in the order of the calls; empty when there is none."""
    calls = {
        name: [step.node_name for step in node.steps or () if step.node_name in nodes]
        for name, node in nodes.items()
    }
    try:
        TopologicalSorter(calls).prepare()
    except CycleError as error:
        # The sorter lists each node after the one that it calls.
        return tuple(reversed(error.args[1]))
    return ()
