"""Everything that is wanted of an InferenceService in the mode Standard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import datetime

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import INGRESS_READY, Finding
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.compiled import Compiled, Event
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.conditions import observe_ingress
from rouse.compiler.config import Config
from rouse.compiler.events import make_events
from rouse.compiler.network import make_external_name_service
from rouse.compiler.observed import Observed
from rouse.compiler.standard.conditions import observe_deployment
from rouse.compiler.standard.deployment import make_deployment
from rouse.compiler.standard.routes import make_routes
from rouse.compiler.standard.scaling import make_autoscaler, scaling_of
from rouse.compiler.standard.service import make_service
from rouse.compiler.standard.status import make_standard_status

__all__ = ["compile_standard"]


def compile_standard(
    isvc: InferenceService,
    components: Sequence[ResolvedComponent],
    *,
    config: Config,
    observed: Observed,
    now: datetime,
) -> Compiled:
    """Return everything wanted of the resolved components, of which the predictor is the first.

    Raises CompileError for what only the mode Knative can do.
    """
    scalings = [scaling_of(isvc, each, config) for each in components]
    deployments = [
        make_deployment(isvc, each, scaling)
        for each, scaling in zip(components, scalings, strict=True)
    ]
    autoscalers = (
        make_autoscaler(isvc, each, scaling)
        for each, scaling in zip(components, scalings, strict=True)
    )
    network: list[Object] = []
    ingress = Finding(INGRESS_READY, "True")
    if not config.disable_ingress_creation:
        routes = make_routes(isvc, components, config)
        network = [make_external_name_service(isvc, config), routes]
        ingress = observe_ingress(routes, observed.virtual_service, config)
    findings = [
        observe_deployment(component.component, deployment, observed)
        for component, deployment in zip(components, deployments, strict=True)
    ]
    status = make_standard_status(
        isvc, components, findings, ingress, observed=observed, config=config, now=now
    )
    objects = (
        *deployments,
        *(make_service(isvc, each) for each in components),
        *(each for each in autoscalers if each is not None),
        *network,
    )
    events = (
        *make_events(isvc.name, observed.previous_status, status),
        *_canaries(isvc, components, observed),
    )
    return Compiled(objects, status, events)


def _canaries(
    isvc: InferenceService, components: Sequence[ResolvedComponent], observed: Observed
) -> Iterator[Event]:
    """Tell once per generation that a canary is not possible here; KServe says nothing."""
    generation = isvc.metadata.generation
    if generation is not None and observed.previous_status.get("observedGeneration") == generation:
        return
    for each in components:
        if each.spec.canary_traffic_percent not in (None, 100):
            yield Event(
                "Warning",
                "CanaryIgnored",
                f"spec.{each.component}.canaryTrafficPercent has no effect in the mode Standard: "
                "all requests go to the new version as it is rolled out; use the mode Knative",
            )
