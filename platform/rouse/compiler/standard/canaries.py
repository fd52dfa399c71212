"""The canaries of a predictor: a Deployment and a Service each, and which of them can serve."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import CANARY_PREDICTOR_READY, Finding, Reason
from rouse.api.inferenceservice.types import CanarySpec, InferenceService
from rouse.compiler.canaries import as_canaries
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.observed import Observed
from rouse.compiler.standard.conditions import DeploymentFindings, observe_deployment
from rouse.compiler.standard.deployment import make_deployment
from rouse.compiler.standard.scaling import Scaling, fixed_scaling
from rouse.compiler.standard.service import make_service

__all__ = ["Canary", "canaries_ready", "make_canaries", "shares_of", "without_canaries"]


@dataclass(frozen=True, slots=True)
class Canary:
    """What is wanted of one canary, and what was found of it."""

    spec: CanarySpec
    component: ResolvedComponent
    deployment: Object
    service: Object
    found: DeploymentFindings
    ready: bool
    """Whether it has replicas that take requests, new or old ones."""

    @property
    def name(self) -> str:
        """The name of its predictor."""
        return str(self.spec.predictor.name)

    @property
    def replicas(self) -> int:
        """How many it shall have."""
        return int(self.deployment["spec"]["replicas"])


def make_canaries(
    isvc: InferenceService,
    resolved: Sequence[ResolvedComponent],
    config: Config,
    observed: Observed,
) -> list[Canary]:
    """Return the canaries, in their order; ``resolved`` are their predictors."""
    canaries = []
    listed = zip(isvc.spec.canary or (), as_canaries(isvc), resolved, strict=True)
    for spec, alone, component in listed:
        scaling = fixed_scaling(spec.predictor.min_replicas or 0)
        deployment = make_deployment(alone, component, scaling, config)
        live = observed.deployments.get(component.name) or {}
        canaries.append(
            Canary(
                spec,
                component,
                deployment,
                make_service(alone, component, config),
                observe_deployment(component.component, deployment, observed),
                bool((live.get("status") or {}).get("availableReplicas")),
            )
        )
    return canaries


def without_canaries(scaling: Scaling, canaries: Sequence[Canary]) -> Scaling:
    """Return the stable predictor's scaling less the replicas that ready canaries have for it."""
    beside = sum(each.replicas for each in canaries if each.ready)
    least = max(scaling.least - beside, min(1, scaling.least))
    return replace(scaling, least=least)


def shares_of(stable: ResolvedComponent, canaries: Sequence[Canary]) -> list[tuple[str, int]]:
    """Return the Services that share the predictor's requests, each with its percent.

    A canary that is not ready gets none; its share stays with the stable predictor.
    """
    shares = [
        (each.component.name, each.spec.traffic_percent)
        for each in canaries
        if each.ready and each.spec.traffic_percent
    ]
    rest = 100 - sum(percent for _, percent in shares)
    return [(stable.name, rest), *shares] if rest else shares


def canaries_ready(canaries: Sequence[Canary]) -> Finding:
    """Return CanaryPredictorReady; one that shall have no replicas has not failed to be ready."""
    missing = [each for each in canaries if not each.ready and each.replicas]
    if not missing:
        return Finding(CANARY_PREDICTOR_READY, "True", Reason.CANARIES_READY)
    first = missing[0]
    message = f"the canary {first.name}: {first.found.ready.message or 'no replica serves yet'}"
    return Finding(CANARY_PREDICTOR_READY, "False", Reason.CANARIES_NOT_READY, message)
