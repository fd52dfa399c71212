"""Everything that is wanted of an InferenceService in the mode Standard."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import INGRESS_READY, Finding
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.canaries import split_host, split_name
from rouse.compiler.compiled import Compiled, Event
from rouse.compiler.component import PREDICTOR, ResolvedComponent
from rouse.compiler.conditions import observe_ingress
from rouse.compiler.config import Config
from rouse.compiler.events import make_events
from rouse.compiler.network import make_access, make_alias
from rouse.compiler.observed import Observed
from rouse.compiler.standard.canaries import (
    Canary,
    make_canaries,
    shares_of,
    without_canaries,
)
from rouse.compiler.standard.collector import make_collector, with_collector
from rouse.compiler.standard.conditions import DeploymentFindings, observe_deployment
from rouse.compiler.standard.deployment import make_deployment
from rouse.compiler.standard.groups import (
    GROUPS_ANNOTATION,
    make_group_services,
    make_worker_deployment,
    named_groups,
    with_group,
)
from rouse.compiler.standard.routes import make_routes
from rouse.compiler.standard.scaling import make_autoscaler, scaling_of
from rouse.compiler.standard.service import make_service
from rouse.compiler.standard.status import make_standard_status

__all__ = ["compile_standard"]


@dataclass(frozen=True, slots=True)
class _Part:
    """What is wanted of one component, and what was found of it."""

    deployments: Sequence[Object]
    services: Sequence[Object]
    scalers: Sequence[Object]
    found: DeploymentFindings


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
    canaries = make_canaries(isvc, components[0].canaries, config, observed)
    parts = [_make_part(isvc, each, config, observed, canaries) for each in components]
    network: list[Object] = []
    ingress = Finding(INGRESS_READY, "True")
    if not config.disable_ingress_creation:
        shares = shares_of(components[0], canaries)
        routes = make_routes(isvc, components, shares, config)
        network = [*make_access(isvc, config), routes]
        if split_host(isvc, config) is not None:
            network.insert(0, make_alias(isvc, split_name(isvc), config))
        ingress = observe_ingress(routes, observed.virtual_service, config)
    findings = [part.found for part in parts]
    status = make_standard_status(
        isvc, components, findings, ingress, canaries, observed=observed, config=config, now=now
    )
    objects = (
        *(each for part in parts for each in part.deployments),
        *(each.deployment for each in canaries),
        *(each for part in parts for each in part.services),
        *(each.service for each in canaries),
        *(each for part in parts for each in part.scalers),
        *network,
    )
    events = (
        *make_events(isvc.name, observed.previous_status, status),
        *_ignored(isvc, components, observed),
    )
    return Compiled(objects, status, events)


def _make_part(
    isvc: InferenceService,
    component: ResolvedComponent,
    config: Config,
    observed: Observed,
    canaries: Sequence[Canary],
) -> _Part:
    scaling = scaling_of(isvc, component, config)
    if component.component == PREDICTOR:
        scaling = without_canaries(scaling, canaries)
    collected = any(each.trigger for each in scaling.metrics)
    component = with_group(isvc, with_collector(component) if collected else component)
    deployments = [make_deployment(isvc, component, scaling, config)]
    found = observe_deployment(component.component, deployments[0], observed)
    workers = make_worker_deployment(isvc, component, scaling, config)
    if workers is not None:
        found = found.beside(observe_deployment(component.component, workers, observed))
        deployments.append(workers)
    groups = named_groups(component, observed, replaced=found.latest.status == "True")
    if groups:
        deployments[0]["metadata"]["annotations"][GROUPS_ANNOTATION] = ",".join(groups)
    services = [
        make_service(isvc, component, config),
        *make_group_services(isvc, component, groups),
    ]
    scalers = [make_autoscaler(isvc, component, scaling)]
    if collected:
        scalers.append(make_collector(isvc, component, config))
    return _Part(deployments, services, [each for each in scalers if each is not None], found)


def _ignored(
    isvc: InferenceService, components: Sequence[ResolvedComponent], observed: Observed
) -> Iterator[Event]:
    """Tell once per generation that a percent means nothing here; KServe says nothing."""
    generation = isvc.metadata.generation
    if generation is not None and observed.previous_status.get("observedGeneration") == generation:
        return
    for each in components:
        if each.spec.canary_traffic_percent not in (None, 100):
            yield Event(
                "Warning",
                "CanaryIgnored",
                f"spec.{each.component}.canaryTrafficPercent has no effect in the mode Standard: "
                "all requests go to the new version as it is rolled out; name the new version in "
                "spec.canary, or use the mode Knative",
            )
