"""The conditions of an InferenceGraph: ``Ready`` is ``RouterReady`` and ``StepsReady``."""

from __future__ import annotations

from collections.abc import Mapping

from rouse.api.inferencegraph.types import InferenceGraph
from rouse.api.inferenceservice.lifecycle import READY, Finding, summarize

__all__ = [
    "DECIDING",
    "ROUTER_READY",
    "STEPS_READY",
    "Reason",
    "conditions",
    "services_of",
]

ROUTER_READY = "RouterReady"
STEPS_READY = "StepsReady"

DECIDING = frozenset({READY, ROUTER_READY, STEPS_READY})
"""The conditions that say whether it serves; others inform."""


class Reason:
    """Why a condition is what it is."""

    INVALID_SPEC = "InvalidGraphSpec"
    NAME_TAKEN = "NameTaken"
    ROUTER_FAILED = "RouterFailed"
    SERVICE_NOT_FOUND = "InferenceServiceNotFound"
    SERVICE_NOT_READY = "InferenceServiceNotReady"
    STOPPED = "Stopped"
    WAITING_FOR_STEPS = "WaitingForSteps"


def services_of(graph: InferenceGraph) -> tuple[str, ...]:
    """Return the InferenceServices that the steps call by name, sorted."""
    steps = (step for node in graph.spec.nodes.values() for step in node.steps or ())
    return tuple(sorted({step.service_name for step in steps if step.service_name is not None}))


def conditions(
    graph: InferenceGraph, *, router: Finding, services: Mapping[str, Finding]
) -> tuple[Finding, ...]:
    """Return the conditions of a graph.

    ``router`` is what is known of the router itself, ``services`` is the condition Ready of every
    InferenceService that exists.
    """
    steps = _steps(graph, services)
    return (router, steps, summarize((steps, router)))


def _steps(graph: InferenceGraph, services: Mapping[str, Finding]) -> Finding:
    missing = [name for name in services_of(graph) if name not in services]
    if missing:
        return Finding(
            STEPS_READY,
            "False",
            Reason.SERVICE_NOT_FOUND,
            f"there is no InferenceService {', '.join(missing)} in the namespace; create it",
        )
    waiting = {name: services[name] for name in services_of(graph)}
    waiting = {name: ready for name, ready in waiting.items() if ready.status != "True"}
    if not waiting:
        return Finding(STEPS_READY, "True")
    failed = any(ready.status == "False" for ready in waiting.values())
    # Their reasons, not their words: these change more often, and are theirs to tell.
    names = [f"{name} ({each.reason})" if each.reason else name for name, each in waiting.items()]
    return Finding(
        STEPS_READY,
        "False" if failed else "Unknown",
        Reason.SERVICE_NOT_READY,
        f"waiting for InferenceService {', '.join(names)}",
    )
