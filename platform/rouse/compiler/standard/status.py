"""The status of an InferenceService in the mode Standard."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import (
    LATEST_DEPLOYMENT_READY,
    Finding,
    set_conditions,
    summarize,
)
from rouse.api.inferenceservice.modes import STANDARD
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.coldstart import budget_findings, make_cold_starts, make_starts
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.failures import failure_info
from rouse.compiler.hosts import local_host, public_url
from rouse.compiler.names import service_host
from rouse.compiler.observed import Observed
from rouse.compiler.pods import latest_pods, with_pods
from rouse.compiler.standard.canaries import Canary, canaries_ready
from rouse.compiler.standard.conditions import DeploymentFindings
from rouse.compiler.standard.deployment import workload_selector
from rouse.compiler.standard.routes import takes_requests
from rouse.compiler.status import timestamp

__all__ = ["make_standard_status"]


def make_standard_status(
    isvc: InferenceService,
    components: Sequence[ResolvedComponent],
    findings: Sequence[DeploymentFindings],
    ingress: Finding,
    canaries: Sequence[Canary],
    *,
    observed: Observed,
    config: Config,
    now: datetime,
) -> Object:
    """Return the whole status; ``findings`` are those of the components, the predictor first."""
    before, time = observed.previous_status, timestamp(now)
    cold_starts = make_cold_starts({}, observed.activations, before.get("coldStart"))
    conditions = [
        summarize([*(each.ready for each in findings), ingress]),
        ingress,
        summarize([each.latest for each in findings], LATEST_DEPLOYMENT_READY),
        *(each.ready for each in findings),
        *([canaries_ready(canaries)] if canaries else []),
        *budget_findings(isvc.annotations, cold_starts),
    ]
    status: Object = {
        "conditions": set_conditions(conditions, before.get("conditions") or (), time),
        "deploymentMode": STANDARD,
        "modelStatus": _model_status(
            components[0], findings[0], before.get("modelStatus") or {}, observed, time
        ),
        "components": {each.component: _component(isvc, each, config) for each in components},
        **_urls(isvc, components, config),
    }
    if canaries:
        known = {each["name"]: each for each in before.get("canaryStatuses") or ()}
        status["canaryStatuses"] = [
            _canary(each, known.get(each.name) or {}, observed, time) for each in canaries
        ]
    runtime = components[0].runtime
    if runtime is not None:
        field = "servingRuntimeName" if runtime.namespace else "clusterServingRuntimeName"
        status[field] = runtime.name
    if cold_starts is not None:
        status["coldStart"] = cold_starts
    starts = make_starts(observed.activations, before.get("starts") or ())
    if starts:
        status["starts"] = starts
    if isvc.metadata.generation is not None:
        status["observedGeneration"] = isvc.metadata.generation
    return status


def _canary(canary: Canary, before: Mapping[str, Any], observed: Observed, time: str) -> Object:
    model = _model_status(
        canary.component, canary.found, before.get("modelStatus") or {}, observed, time
    )
    return {
        "name": canary.name,
        "ready": canary.ready,
        "trafficPercent": canary.spec.traffic_percent,
        "modelStatus": model,
    }


def _component(isvc: InferenceService, component: ResolvedComponent, config: Config) -> Object:
    url = f"http://{service_host(component.name, isvc.namespace, config.cluster_domain)}"
    return {"url": url, "address": {"url": url}}


def _urls(
    isvc: InferenceService, components: Sequence[ResolvedComponent], config: Config
) -> Object:
    if config.disable_ingress_creation:
        return _component(isvc, takes_requests(components), config)
    return {
        "address": {"url": f"http://{local_host(isvc, config)}"},
        "url": public_url(isvc, config),
    }


def _model_status(
    component: ResolvedComponent,
    found: DeploymentFindings,
    before: Mapping[str, Any],
    observed: Observed,
    time: str,
) -> Object:
    transition, target = {
        "True": ("UpToDate", "Loaded"),
        "False": ("BlockedByFailedLoad", "FailedToLoad"),
        "Unknown": ("InProgress", "Loading"),
    }[found.latest.status]
    active = "Loaded" if found.ready.status == "True" else "Pending"
    if found.latest.status == "False" and active == "Pending":
        active = "FailedToLoad"
    status: Object = {
        "transitionStatus": transition,
        "states": {"activeModelState": active, "targetModelState": target},
    }
    if found.latest.status == "False":
        why = {"reason": found.latest.reason, "message": found.latest.message}
        failed = failure_info(why, location=component.name)
        last = before.get("lastFailureInfo") or {}
        same = all(last.get(key) == value for key, value in failed.items()) and last.get("time")
        status["lastFailureInfo"] = {**failed, "time": last["time"] if same else time}
    pods = latest_pods(observed.pods, workload_selector(component))
    return with_pods(status, pods, before, location=component.name, replicas=found.replicas)
