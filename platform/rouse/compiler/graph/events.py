"""What of a graph is worth an Event: the difference between two statuses."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

from rouse.api.base import Object
from rouse.api.inferencegraph.lifecycle import ROUTER_READY, STEPS_READY, Reason
from rouse.api.inferenceservice.lifecycle import condition_of
from rouse.compiler.compiled import Event
from rouse.compiler.events import readiness

__all__ = ["make_graph_events"]


def make_graph_events(name: str, before: Mapping[str, Any], after: Object) -> tuple[Event, ...]:
    """Return the events of the step from one status of the graph ``name`` to the next."""
    return (*readiness("InferenceGraph", name, before, after), *_failures(before, after))


def _failures(before: Mapping[str, Any], after: Object) -> Iterator[Event]:
    """Tell of a failure when it is new, or another one; a stop is none."""
    for type_ in (ROUTER_READY, STEPS_READY):
        is_, was = condition_of({"status": after}, type_), condition_of({"status": before}, type_)
        if is_.get("status") != "False" or is_.get("reason") == Reason.STOPPED:
            continue
        if (was.get("status"), was.get("message")) != ("False", is_.get("message")):
            yield Event("Warning", is_.get("reason") or type_, is_.get("message", ""))
