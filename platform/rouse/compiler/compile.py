"""The compiler: one InferenceService and what was observed of it -> everything that is wanted."""

from __future__ import annotations

from datetime import datetime

from rouse.api import inferenceservice
from rouse.api.base import Object
from rouse.api.findings import examine
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.compiled import Compiled
from rouse.compiler.conditions import observe_conditions
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.events import make_events
from rouse.compiler.knative import make_knative_service, make_template, template_hash
from rouse.compiler.metadata import is_stopped
from rouse.compiler.network import make_external_name_service, make_virtual_service
from rouse.compiler.observed import Observed
from rouse.compiler.predictor import resolve_predictor
from rouse.compiler.rollout import decide_rollout, make_traffic
from rouse.compiler.runtimes import RuntimeSet
from rouse.compiler.status import make_refused_status, make_status, make_stopped_status

__all__ = ["compile_inference_service", "compile_object"]


def compile_object(
    obj: Object, *, runtimes: RuntimeSet, config: Config, observed: Observed, now: datetime
) -> Compiled:
    """Read, check and compile an InferenceService as it comes from the API.

    Never raises for what a user wrote: an invalid object gets no objects and a status that
    names every finding.
    """
    isvc, findings = examine(InferenceService, obj, inferenceservice.validate)
    if isvc is not None and not findings:
        return compile_inference_service(
            isvc, runtimes=runtimes, config=config, observed=observed, now=now
        )
    metadata = obj["metadata"]
    error = CompileError(Reason.INVALID_SPEC, "; ".join(map(str, findings)))
    return _refused(metadata["name"], metadata.get("generation"), error, observed, now)


def compile_inference_service(
    isvc: InferenceService,
    *,
    runtimes: RuntimeSet,
    config: Config,
    observed: Observed,
    now: datetime,
) -> Compiled:
    """Compile a valid InferenceService; see `Compiled` for what comes out.

    A spec that names what is not there (a format no runtime serves, say) gets no objects and a
    status that says so.
    """
    isvc = inferenceservice.default(isvc)
    before = observed.previous_status
    if is_stopped(isvc):
        status = make_stopped_status(isvc, before, now)
        return Compiled((), status, make_events(isvc.name, before, status))
    try:
        return _compile(isvc, runtimes, config, observed, now)
    except CompileError as error:
        return _refused(isvc.name, isvc.metadata.generation, error, observed, now)


def _compile(
    isvc: InferenceService, runtimes: RuntimeSet, config: Config, observed: Observed, now: datetime
) -> Compiled:
    component = resolve_predictor(isvc, runtimes, config)
    predictor = isvc.spec.predictor
    template = make_template(component)
    before = observed.previous_status
    rollout = decide_rollout(
        predictor.canary_traffic_percent,
        knative_service=observed.knative_services.get(component.name),
        revisions=observed.revisions,
        previous_status=(before.get("components") or {}).get(component.component) or {},
        template_hash=template_hash(template),
    )
    traffic = make_traffic(predictor.canary_traffic_percent, rollout)
    service = make_knative_service(isvc, component, template, traffic)
    routes = make_virtual_service(isvc, predictor, rollout, config) if rollout.shares else None
    conditions = observe_conditions(
        service, routes, rollout=rollout, observed=observed, config=config
    )
    status = make_status(
        isvc,
        knative_service=service,
        rollout=rollout,
        conditions=conditions,
        runtime=component.runtime,
        observed=observed,
        config=config,
        now=now,
    )
    objects = [service, make_external_name_service(isvc, config), *([routes] if routes else [])]
    return Compiled(tuple(objects), status, make_events(isvc.name, before, status))


def _refused(
    name: str, generation: int | None, error: CompileError, observed: Observed, now: datetime
) -> Compiled:
    before = observed.previous_status
    status = make_refused_status(generation, error, before, now)
    return Compiled((), status, make_events(name, before, status), prune=False)
