"""The mode Knative: a Knative Service per component, and routes between their revisions."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from rouse.api.base import Object
from rouse.api.inferenceservice.lifecycle import INGRESS_READY, Finding
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.access import methods_of
from rouse.compiler.compiled import Compiled
from rouse.compiler.component import EXPLAINER, PREDICTOR, TRANSFORMER, ResolvedComponent
from rouse.compiler.conditions import observe_ingress, observe_part
from rouse.compiler.config import Config
from rouse.compiler.events import make_events
from rouse.compiler.knative import make_knative_service, make_template, template_hash
from rouse.compiler.lineage import Candidate, Way, canary_way, decide_rollouts, join_ways
from rouse.compiler.network import (
    Door,
    keep_virtual_service,
    make_access,
    make_virtual_service,
)
from rouse.compiler.observed import Observed
from rouse.compiler.overrides import mirror_percent, override_matches
from rouse.compiler.part import Part
from rouse.compiler.rollout import make_traffic
from rouse.compiler.status import make_status

__all__ = ["compile_knative"]


def compile_knative(
    isvc: InferenceService,
    components: Sequence[ResolvedComponent],
    *,
    config: Config,
    observed: Observed,
    now: datetime,
) -> Compiled:
    """Return everything wanted of the resolved components, of which the predictor is the first."""
    # Knative's own hosts of the components are in no policy: they must not lead in from outside.
    parts = _parts(isvc, components, observed, inside=bool(methods_of(isvc, config)))
    routes = _routes(isvc, {part.resolved.component: part for part in parts}, observed, config)
    network = [*make_access(isvc, config), *([routes] if routes else [])]
    ingress = observe_ingress(routes, observed.virtual_service, config)
    if config.disable_ingress_creation:
        network, ingress = [], Finding(INGRESS_READY, "True")
    findings = [observe_part(part, observed) for part in parts]
    status = make_status(
        isvc,
        parts,
        findings,
        ingress,
        routed=routes is not None,
        observed=observed,
        config=config,
        now=now,
    )
    objects = (*(part.service for part in parts), *network)
    return Compiled(objects, status, make_events(isvc.name, observed.previous_status, status))


def _parts(
    isvc: InferenceService,
    components: Sequence[ResolvedComponent],
    observed: Observed,
    *,
    inside: bool,
) -> list[Part]:
    templates = [make_template(each) for each in components]
    rollouts = decide_rollouts(
        isvc,
        [
            Candidate(
                each.component, observed.knative_services.get(each.name), template_hash(template)
            )
            for each, template in zip(components, templates, strict=True)
        ],
        revisions=observed.revisions,
        previous_status=observed.previous_status,
    )
    return [
        Part(
            each,
            make_knative_service(
                isvc, each, template, make_traffic(rollouts[each.component]), inside=inside
            ),
            rollouts[each.component],
        )
        for each, template in zip(components, templates, strict=True)
    ]


def _routes(
    isvc: InferenceService, parts: dict[str, Part], observed: Observed, config: Config
) -> Object | None:
    """Return the wanted VirtualService; None while nothing can be routed, or shall be."""
    if config.disable_ingress_creation:
        return None
    predictor, transformer = parts[PREDICTOR], parts.get(TRANSFORMER)
    main = _door(isvc, transformer or predictor, predictor)
    if not main.ways:
        live = observed.virtual_service
        # A transformer that is new beside a predictor that serves: it goes on as it did.
        return (
            keep_virtual_service(isvc, live, config) if live and predictor.rollout.shares else None
        )
    doors = [main]
    if EXPLAINER in parts:
        explaining = _door(isvc, parts[EXPLAINER], predictor)
        doors = [explaining, main] if explaining.ways else doors
    return make_virtual_service(isvc, doors, override_matches(isvc), config)


def _door(isvc: InferenceService, entry: Part, predictor: Part) -> Door:
    own = entry is predictor
    ways: tuple[Way, ...] = join_ways(entry.rollout, predictor.rollout)
    shadows = own and predictor.rollout.split
    return Door(
        entry.resolved.name,
        ways,
        canary_way(entry.rollout, predictor.rollout),
        timeout_s=entry.resolved.spec.timeout,
        explains=entry.resolved.component == EXPLAINER,
        has_lineage=not own,
        shadow=predictor.rollout.latest_ready if shadows else "",
        shadow_percent=mirror_percent(isvc) if shadows else 0,
    )
