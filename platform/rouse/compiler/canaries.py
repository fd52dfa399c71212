"""Named canaries (spec.canary, mode Standard): their pods, and the host that all versions share."""

from __future__ import annotations

from collections.abc import Iterator

from rouse.api.inferenceservice.types import InferenceService
from rouse.compiler.component import PREDICTOR, ResolvedComponent
from rouse.compiler.config import Config
from rouse.compiler.errors import CompileError
from rouse.compiler.names import component_name, service_host
from rouse.compiler.predictor import resolve_predictor
from rouse.compiler.runtimes import RuntimeSet

__all__ = ["as_canaries", "resolve_canaries", "split_host", "split_name"]


def as_canaries(isvc: InferenceService) -> Iterator[InferenceService]:
    """Yield the (defaulted) service once per canary, as if that were its predictor."""
    for canary in isvc.spec.canary or ():
        changed = {"predictor": canary.predictor, "canary": None}
        yield isvc.model_copy(update={"spec": isvc.spec.model_copy(update=changed)})


def resolve_canaries(
    isvc: InferenceService, runtimes: RuntimeSet, config: Config
) -> Iterator[ResolvedComponent]:
    """Yield the predictors of the canaries, in their order. Raises CompileError as for others."""
    for index, each in enumerate(as_canaries(isvc)):
        try:
            yield resolve_predictor(each, runtimes, config)
        except CompileError as error:
            where = f"spec.canary[{index}].predictor"
            raise CompileError(error.reason, f"{where}: {error.message}") from error


def split_name(isvc: InferenceService) -> str:
    """Return the name of the Service by which transformers and explainers call a predictor with
    canaries: its requests are shared by the gateway, as those from outside are."""
    return component_name(isvc.name, f"{PREDICTOR}-split")


def split_host(isvc: InferenceService, config: Config) -> str | None:
    """Return the host of that Service; None where there is nothing to share."""
    callers = isvc.spec.transformer is not None or isvc.spec.explainer is not None
    if not (isvc.spec.canary and callers) or config.disable_ingress_creation:
        return None
    return service_host(split_name(isvc), isvc.namespace, config.cluster_domain)
