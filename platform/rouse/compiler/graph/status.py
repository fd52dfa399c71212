"""The status of an InferenceGraph, from what was observed."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Any

from rouse.api.base import Object
from rouse.api.inferencegraph.lifecycle import DECIDING, ROUTER_READY, Reason
from rouse.api.inferenceservice.lifecycle import READY, STOPPED, Finding, set_conditions
from rouse.api.inferenceservice.lifecycle import Reason as ServiceReason
from rouse.compiler.errors import CompileError
from rouse.compiler.status import timestamp

__all__ = ["make_graph_status", "make_refused_graph_status", "make_stopped_graph_status"]


def make_graph_status(
    findings: Iterable[Finding],
    *,
    mode: str,
    url: str,
    generation: int | None,
    before: Mapping[str, Any],
    now: datetime,
) -> Object:
    """Return the whole status; ``before`` is the last one, ``url`` empty where there is none."""
    status: Object = {"conditions": _conditions(findings, before, now), "deploymentMode": mode}
    if url:
        status["url"] = url
    return _with_generation(status, generation)


def make_stopped_graph_status(
    *, mode: str, generation: int | None, before: Mapping[str, Any], now: datetime
) -> Object:
    """Return the status of a graph that is told not to run."""
    message = "the annotation serving.kserve.io/stop is true; remove it to serve again"
    findings = [Finding(type_, "False", Reason.STOPPED, message) for type_ in (READY, ROUTER_READY)]
    findings.append(Finding(STOPPED, "True", Reason.STOPPED, message))
    status = {"conditions": _conditions(findings, before, now), "deploymentMode": mode}
    return _with_generation(status, generation)


def make_refused_graph_status(
    generation: int | None, error: CompileError, before: Mapping[str, Any], now: datetime
) -> Object:
    """Return the status of a graph that cannot be made; what is said of its steps stays."""
    # What both kinds share speaks of a predictor.
    general = error.reason == ServiceReason.INVALID_SPEC
    reason = Reason.INVALID_SPEC if general else error.reason
    refused = [Finding(type_, "False", reason, error.message) for type_ in (READY, ROUTER_READY)]
    kept = [
        Finding(each["type"], each["status"], each.get("reason", ""), each.get("message", ""))
        for each in before.get("conditions") or ()
        if each["type"] not in (READY, ROUTER_READY, STOPPED)
    ]
    status = {**before, "conditions": _conditions([*refused, *kept], before, now)}
    return _with_generation(status, generation)


def _conditions(
    findings: Iterable[Finding], before: Mapping[str, Any], now: datetime
) -> list[Object]:
    return set_conditions(findings, before.get("conditions") or (), timestamp(now), DECIDING)


def _with_generation(status: Object, generation: int | None) -> Object:
    return status if generation is None else {**status, "observedGeneration": generation}
