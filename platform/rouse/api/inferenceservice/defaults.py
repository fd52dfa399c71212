"""What an InferenceService means where it does not say.

Defaults are applied when an object is read, not when it is stored. `kubectl apply` compares what
it applied last with what is stored: a stored object that was rewritten (``sklearn`` into ``model``,
say) would make the next apply of the very same file bring the old block back beside the new one.
"""

from __future__ import annotations

from typing import TypeVar

from rouse.api.inferenceservice.canaries import canary_replicas, merge_canary
from rouse.api.inferenceservice.component import ComponentSpec
from rouse.api.inferenceservice.types import CanarySpec, InferenceService, ModelSpec, PredictorSpec

__all__ = [
    "DEFAULT_MIN_REPLICAS",
    "MAIN_CONTAINER",
    "default",
]

DEFAULT_MIN_REPLICAS = 1
MAIN_CONTAINER = "kserve-container"
"""The container that serves; others stand beside it."""

C = TypeVar("C", bound=ComponentSpec)

_LOGGER_MODE = "all"
_V2_FORMATS = frozenset({"huggingface", "onnx", "triton"})


def default(isvc: InferenceService) -> InferenceService:
    """Return the service with everything it leaves open filled in; the argument stays as it is.

    Applying it again changes nothing.
    """
    spec = isvc.spec
    stable = _model_block(spec.predictor)
    changes: dict[str, object] = {"predictor": _component(_with_protocol(stable))}
    if spec.canary is not None:
        changes["canary"] = [_canary(stable, each) for each in spec.canary]
    if spec.transformer is not None:
        changes["transformer"] = _component(spec.transformer)
    if spec.explainer is not None:
        changes["explainer"] = _component(spec.explainer)
    return isvc.model_copy(update={"spec": spec.model_copy(update=changes)})


def _canary(stable: PredictorSpec, canary: CanarySpec) -> CanarySpec:
    """Return the canary with the whole predictor; and the number of its replicas."""
    merged = merge_canary(stable, _model_block(canary.predictor))
    whole = _component(_with_protocol(merged))
    least = canary_replicas(stable, canary)
    return canary.model_copy(update={"predictor": whole.model_copy(update={"min_replicas": least})})


def _model_block(predictor: PredictorSpec) -> PredictorSpec:
    """Return the predictor with ``model`` in the place of an old style block."""
    blocks = predictor.frameworks()
    if predictor.model is None and len(blocks) == 1:
        [(framework, block)] = blocks.items()
        model = ModelSpec.model_validate({**block.to_object(), "modelFormat": {"name": framework}})
        return predictor.model_copy(update={"model": model, framework: None})
    return predictor


def _with_protocol(predictor: PredictorSpec) -> PredictorSpec:
    model_spec = predictor.model
    if model_spec is None or model_spec.protocol_version is not None:
        return predictor
    protocol = "v2" if model_spec.model_format.name in _V2_FORMATS else "v1"
    filled = model_spec.model_copy(update={"protocol_version": protocol})
    return predictor.model_copy(update={"model": filled})


def _component(component: C) -> C:
    changes: dict[str, object] = {}
    if component.min_replicas is None:
        changes["min_replicas"] = DEFAULT_MIN_REPLICAS
    if component.service_account and not component.service_account_name:
        changes["service_account_name"] = component.service_account
    if component.logger is not None and component.logger.mode is None:
        changes["logger"] = component.logger.model_copy(update={"mode": _LOGGER_MODE})
    containers = component.containers
    is_model = isinstance(component, PredictorSpec) and component.model is not None
    if containers and len(containers) == 1 and not is_model:
        changes["containers"] = [containers[0].model_copy(update={"name": MAIN_CONTAINER})]
    return component.model_copy(update=changes) if changes else component
