"""The compiler: one InferenceService and what was observed of it -> everything that is wanted."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from functools import partial

from rouse.api import inferenceservice
from rouse.api.base import Object
from rouse.api.findings import examine
from rouse.api.inferenceservice.lifecycle import Reason
from rouse.api.inferenceservice.modes import KNATIVE, STANDARD, mode_of
from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.canaries import resolve_canaries
from rouse.compiler.compiled import Compiled
from rouse.compiler.component import ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.events import make_events
from rouse.compiler.explainer import resolve_explainer
from rouse.compiler.metadata import is_stopped
from rouse.compiler.modes import kept_mode
from rouse.compiler.observed import Observed
from rouse.compiler.predictor import resolve_predictor
from rouse.compiler.runtimes import RuntimeSet
from rouse.compiler.serverless import compile_knative
from rouse.compiler.standard import compile_standard
from rouse.compiler.status import make_refused_status, make_stopped_status
from rouse.compiler.storage import check_storage
from rouse.compiler.transformer import resolve_transformer

__all__ = ["compile_inference_service", "compile_object"]

_BACKENDS = {KNATIVE: compile_knative, STANDARD: compile_standard}


def compile_object(
    obj: Object,
    *,
    runtimes: RuntimeSet,
    storage_containers: Sequence[Object] = (),
    config: Config,
    observed: Observed,
    now: datetime,
) -> Compiled:
    """Read, check and compile an InferenceService as it comes from the API.

    Never raises for what a user wrote: an invalid object gets no objects and a status that
    names every finding.
    """
    before = observed.previous_status.get("deploymentMode")
    default_mode = before or config.default_deployment_mode
    rules = partial(inferenceservice.validate, default_mode=default_mode)
    isvc, findings = examine(InferenceService, obj, rules)
    if isvc is not None and not findings:
        return compile_inference_service(
            isvc,
            runtimes=runtimes,
            storage_containers=storage_containers,
            config=config,
            observed=observed,
            now=now,
        )
    metadata = obj["metadata"]
    error = CompileError(Reason.INVALID_SPEC, "; ".join(map(str, findings)))
    return _refused(metadata["name"], metadata.get("generation"), error, observed, now)


def compile_inference_service(
    isvc: InferenceService,
    *,
    runtimes: RuntimeSet,
    storage_containers: Sequence[Object] = (),
    config: Config,
    observed: Observed,
    now: datetime,
) -> Compiled:
    """Compile a valid InferenceService; see `Compiled` for what comes out.

    ``storage_containers`` are the cluster's ClusterStorageContainers. A spec that names what is not
    there (a format no runtime serves, say) gets no objects and a status that says so.
    """
    isvc = inferenceservice.default(isvc)
    before = observed.previous_status
    if is_stopped(isvc):
        mode = mode_of(
            isvc.annotations, before.get("deploymentMode") or config.default_deployment_mode
        )
        status = make_stopped_status(isvc, mode or KNATIVE, before, now)
        return Compiled((), status, make_events(isvc.name, before, status))
    try:
        check_storage(isvc, storage_containers)
        return _compile(isvc, runtimes, config, observed, now)
    except CompileError as error:
        return _refused(isvc.name, isvc.metadata.generation, error, observed, now)


def _compile(
    isvc: InferenceService, runtimes: RuntimeSet, config: Config, observed: Observed, now: datetime
) -> Compiled:
    mode = kept_mode(isvc, config, observed)
    if mode == KNATIVE and isvc.spec.predictor.name:
        # Revisions tell its versions apart: another name would make another Knative Service.
        unnamed = isvc.spec.predictor.model_copy(update={"name": None})
        isvc = isvc.model_copy(update={"spec": isvc.spec.model_copy(update={"predictor": unnamed})})
    backend = _BACKENDS[mode]
    components = list(_resolved(isvc, runtimes, config))
    return backend(isvc, components, config=config, observed=observed, now=now)


def _resolved(
    isvc: InferenceService, runtimes: RuntimeSet, config: Config
) -> Iterator[ResolvedComponent]:
    """Yield the components; the predictor is the first."""
    predictor = resolve_predictor(isvc, runtimes, config)
    canaries = tuple(resolve_canaries(isvc, runtimes, config))
    yield replace(predictor, canaries=canaries)
    if isvc.spec.transformer is not None:
        yield resolve_transformer(isvc, isvc.spec.transformer, config)
    if isvc.spec.explainer is not None:
        yield resolve_explainer(isvc, isvc.spec.explainer, config)


def _refused(
    name: str, generation: int | None, error: CompileError, observed: Observed, now: datetime
) -> Compiled:
    before = observed.previous_status
    status = make_refused_status(generation, error, before, now)
    return Compiled((), status, make_events(name, before, status), prune=False)
