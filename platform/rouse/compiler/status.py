"""The status of an InferenceService, from what was observed."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import (
    EXPLAINER_READY,
    LATEST_DEPLOYMENT_READY,
    PREDICTOR_READY,
    READY,
    STOPPED,
    TRANSFORMER_READY,
    Finding,
    Reason,
    condition_of,
    set_conditions,
)
from rouse.api.inferenceservice.modes import KNATIVE
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.coldstart import budget_findings, make_cold_starts
from rouse.compiler.component import TRANSFORMER
from rouse.compiler.conditions import PartFindings, summarize_parts
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.failures import failure_info
from rouse.compiler.hosts import local_host, public_url
from rouse.compiler.observed import Observed
from rouse.compiler.part import Part
from rouse.compiler.pods import crash_of, latest_pods, with_pods
from rouse.compiler.rollout import Rollout

__all__ = ["make_refused_status", "make_status", "make_stopped_status", "timestamp"]


_REVISION_LABEL = "serving.knative.dev/revision"


def timestamp(now: datetime) -> str:
    """Return the time as RFC 3339 in UTC, to the second."""
    return now.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%SZ")


def make_status(
    isvc: InferenceService,
    parts: Sequence[Part],
    findings: Sequence[PartFindings],
    ingress: Finding,
    *,
    routed: bool,
    observed: Observed,
    config: Config,
    now: datetime,
) -> Object:
    """Return the whole status; ``findings`` are those of the parts, the predictor first.

    ``routed``: whether there is a VirtualService.
    """
    before = observed.previous_status
    cold_starts = make_cold_starts(
        observed.revisions, observed.activations, before.get("coldStart")
    )
    predictor = parts[0]
    model = _with_pods(
        _model_status(findings[0].latest, predictor.rollout, observed),
        predictor.rollout.latest_created,
        observed,
    )
    conditions = [
        *summarize_parts(
            [_with_crash(*each, observed) for each in zip(findings, parts, strict=True)], ingress
        ),
        *budget_findings(isvc.annotations, cold_starts),
    ]
    status: Object = {
        "conditions": set_conditions(conditions, before.get("conditions") or (), timestamp(now)),
        "deploymentMode": KNATIVE,
        "modelStatus": model,
        "components": {part.resolved.component: _component(part, observed) for part in parts},
        **_urls(isvc, parts, observed, config, routed=routed),
    }
    runtime = predictor.resolved.runtime
    if runtime is not None:
        field = "servingRuntimeName" if runtime.namespace else "clusterServingRuntimeName"
        status[field] = runtime.name
    if cold_starts is not None:
        status["coldStart"] = cold_starts
    told = before.get("keepAlive") if observed.keep_alive is None else observed.keep_alive
    if told:
        status["keepAlive"] = told
    return _with_generation(status, isvc.metadata.generation)


def make_stopped_status(
    isvc: InferenceService, mode: str, before: Mapping[str, Any], now: datetime
) -> Object:
    """Return the status of a service that is told not to run."""
    message = "the annotation serving.kserve.io/stop is true; remove it to serve again"
    types = [READY, PREDICTOR_READY]
    types += [TRANSFORMER_READY] if isvc.spec.transformer is not None else []
    types += [EXPLAINER_READY] if isvc.spec.explainer is not None else []
    findings = [Finding(type_, "False", Reason.STOPPED, message) for type_ in types]
    findings.append(Finding(STOPPED, "True", Reason.STOPPED, message))
    status: Object = {
        "conditions": set_conditions(findings, before.get("conditions") or (), timestamp(now)),
        "deploymentMode": mode,
    }
    # What was learned while it served is of use when it serves again.
    status |= {
        field: before[field] for field in ("coldStart", "starts", "keepAlive") if before.get(field)
    }
    return _with_generation(status, isvc.metadata.generation)


def make_refused_status(
    generation: int | None, error: CompileError, before: Mapping[str, Any], now: datetime
) -> Object:
    """Return the status of a service whose spec cannot be compiled.

    What is said about revisions that go on serving stays.
    """
    refused = {
        type_: Finding(type_, "False", error.reason, error.message)
        for type_ in (READY, PREDICTOR_READY, LATEST_DEPLOYMENT_READY)
    }
    kept = [
        Finding(c["type"], c["status"], c.get("reason", ""), c.get("message", ""))
        for c in before.get("conditions") or ()
        if c["type"] not in refused
    ]
    failed = {"reason": error.reason, "message": error.message}
    last = (before.get("modelStatus") or {}).get("lastFailureInfo") or {}
    same = all(last.get(key) == value for key, value in failed.items()) and last.get("time")
    active = (before.get("modelStatus") or {}).get("states", {}).get("activeModelState", "Pending")
    status = {
        **before,
        "conditions": set_conditions(
            [*refused.values(), *kept], before.get("conditions") or (), timestamp(now)
        ),
        "modelStatus": {
            "transitionStatus": "InvalidSpec",
            "states": {"activeModelState": active, "targetModelState": "FailedToLoad"},
            "lastFailureInfo": {**failed, "time": last["time"] if same else timestamp(now)},
        },
    }
    return _with_generation(status, generation)


def _with_generation(status: Object, generation: int | None) -> Object:
    return status if generation is None else {**status, "observedGeneration": generation}


def _urls(
    isvc: InferenceService,
    parts: Sequence[Part],
    observed: Observed,
    config: Config,
    *,
    routed: bool,
) -> Object:
    """Return url and address: those of the component that requests enter by, without ingress."""
    if config.disable_ingress_creation:
        entry = next((p for p in parts if p.resolved.component == TRANSFORMER), parts[0])
        live = (observed.knative_services.get(entry.resolved.name) or {}).get("status") or {}
        return {field: live[field] for field in ("address", "url") if live.get(field)}
    urls: Object = {"address": {"url": f"http://{local_host(isvc, config)}"}}
    if routed:
        urls["url"] = public_url(isvc, config)
    return urls


def _component(part: Part, observed: Observed) -> Object:
    rollout = part.rollout
    names = {
        "latestCreatedRevision": rollout.latest_created,
        "latestReadyRevision": rollout.latest_ready,
        "latestRolledoutRevision": rollout.rolled_out,
        "previousRolledoutRevision": rollout.previous,
    }
    component: Object = {field: name for field, name in names.items() if name}
    live = observed.knative_services.get(part.resolved.name) or {}
    status = live.get("status") or {}
    component |= {field: status[field] for field in ("url", "address") if status.get(field)}
    if rollout.shares:
        urls = {each.get("tag"): each.get("url") for each in status.get("traffic") or ()}
        traffic = part.service["spec"]["traffic"]
        component["traffic"] = [_target(each, rollout, urls) for each in traffic]
    return component


def _target(wanted: Object, rollout: Rollout, urls: Mapping[str | None, str | None]) -> Object:
    target = {"revisionName": rollout.latest_ready, **wanted}
    url = urls.get(wanted["tag"])
    return {**target, "url": url} if url else target


def _with_pods(model: Object, revision: str, observed: Observed) -> Object:
    before = observed.previous_status.get("modelStatus") or {}
    pods = latest_pods(observed.pods, {_REVISION_LABEL: revision})
    return with_pods(model, pods, before, location=revision, revision=revision)


def _with_crash(findings: PartFindings, part: Part, observed: Observed) -> PartFindings:
    """Say of a component's latest revision what its pods said last.

    Knative itself says nothing of a container that ends again and again until the revision's
    progress deadline has passed, ten minutes later.
    """
    labels = {_REVISION_LABEL: part.rollout.latest_created}
    crash = crash_of(latest_pods(observed.pods, labels))
    if findings.latest.status != "Unknown" or crash is None:
        return findings
    told = {
        field: replace(each, status="False", reason=crash["reason"], message=crash["message"])
        for field in ("ready", "configuration", "latest")
        if (each := getattr(findings, field)).status == "Unknown"
    }
    return replace(findings, **told)


def _model_status(latest: Finding, rollout: Rollout, observed: Observed) -> Object:
    transition, target = {
        "True": ("UpToDate", "Loaded"),
        "False": ("BlockedByFailedLoad", "FailedToLoad"),
        "Unknown": ("InProgress", "Loading" if rollout.latest_created else "Pending"),
    }[latest.status]
    active = "Loaded" if rollout.shares else "Pending"
    if latest.status == "False" and not rollout.shares:
        active = "FailedToLoad"
    status: Object = {
        "transitionStatus": transition,
        "states": {"activeModelState": active, "targetModelState": target},
    }
    if latest.status == "False":
        ready = condition_of(observed.revisions.get(rollout.latest_created), "Ready")
        status["lastFailureInfo"] = failure_info(
            {"reason": latest.reason, "message": latest.message, **ready},
            location=rollout.latest_created,
            revision=rollout.latest_created,
        )
    return status
