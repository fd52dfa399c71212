"""Named canaries of the mode Standard (spec.canary): further predictors and their share."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import Any

from rouse.api.base import Object
from rouse.api.inferenceservice.modes import STANDARD
from rouse.api.inferenceservice.types import (
    FRAMEWORKS,
    CanarySpec,
    InferenceService,
    PredictorSpec,
)
from rouse.errors import FieldError

__all__ = ["canary_replicas", "check_canaries", "merge_canary"]

_PATH = "spec.canary"
_KNATIVE = (
    "is for the mode Standard, here as on KServe; in the mode Knative set "
    "spec.predictor.canaryTrafficPercent beside the new model instead"
)
_SCALING = ("maxReplicas", "scaleTarget", "scaleMetric", "autoScaling")
_MODELS = ("model", *FRAMEWORKS)
_SOURCES = ("storageUri", "storage")


def canary_replicas(stable: PredictorSpec, canary: CanarySpec) -> int:
    """Return how many replicas a canary has: its own number, else its share of the stable's."""
    if canary.predictor.min_replicas is not None:
        return canary.predictor.min_replicas
    least = 1 if stable.min_replicas is None else stable.min_replicas
    return math.ceil(least * canary.traffic_percent / 100)


def merge_canary(stable: PredictorSpec, canary: PredictorSpec) -> PredictorSpec:
    """Return the whole predictor of a canary: what it does not say is as the stable one's.

    Objects merge, lists are replaced. Another format chooses its runtime anew, another place of
    the model replaces the stable one's, and containers without a model replace the model. A
    canary is not scaled by anybody.
    """
    over = canary.to_object()
    models = [each for each in _MODELS if each in over]
    base = stable.to_object()
    if over.get("containers") and not models:
        base = {k: v for k, v in base.items() if k not in (*_MODELS, "storageUris")}
    if "model" in base and "model" in over:
        base = _without_replaced(base, over)
    for field in _SCALING:
        base.pop(field, None)
    merged = PredictorSpec.model_validate(_merged(base, over))
    return merged.model_copy(update={"canary_traffic_percent": None})


def check_canaries(isvc: InferenceService, mode: str | None) -> Iterator[FieldError]:
    """Find what does not go together about canaries; KServe's rules. Nothing where there are none.

    ``mode`` is the service's; None where it is unknown.
    """
    canaries, stable = isvc.spec.canary or [], isvc.spec.predictor
    if not canaries:
        return
    if mode is not None and mode != STANDARD:
        yield FieldError(_PATH, _KNATIVE)
    if stable.model is None and not stable.frameworks():
        yield FieldError(_PATH, "needs a model in spec.predictor, which requests fall back to")
    if stable.worker_spec is not None:
        yield FieldError(_PATH, "does not go with spec.predictor.workerSpec; remove one of them")
    taken = {stable.name: "spec.predictor"} if stable.name else {}
    for index, each in enumerate(canaries):
        path = f"{_PATH}[{index}].predictor"
        name = each.predictor.name
        if not name:
            yield FieldError(f"{path}.name", "is required; it tells the canaries apart")
        elif name in taken:
            yield FieldError(f"{path}.name", f'"{name}" is taken by {taken[name]}; use another')
        else:
            taken[name] = path
        yield from _fixed(each, stable, path)
    total = sum(each.traffic_percent for each in canaries)
    if total > 100:
        yield FieldError(_PATH, f"the trafficPercent of all sum to {total}; the most is 100")


def _fixed(canary: CanarySpec, stable: PredictorSpec, path: str) -> Iterator[FieldError]:
    """A canary's replicas are fixed: nobody scales them, and they are no more than the stable's."""
    predictor = canary.predictor
    if predictor.worker_spec is not None:
        yield FieldError(f"{path}.workerSpec", "is not possible in a canary; remove it")
    given = predictor.to_object()
    for field in _SCALING:
        if given.get(field):
            yield FieldError(
                f"{path}.{field}", "is not possible: a canary has fixed replicas, minReplicas"
            )
    least = 1 if stable.min_replicas is None else stable.min_replicas
    if (predictor.min_replicas or 0) > least:
        yield FieldError(
            f"{path}.minReplicas",
            f"{predictor.min_replicas} is more than spec.predictor.minReplicas, which is {least}",
        )


def _without_replaced(base: Object, over: Object) -> Object:
    """Return the stable predictor without what the canary's model makes meaningless."""
    model, new = dict(base["model"]), over["model"]
    if any(field in new for field in _SOURCES) or over.get("storageUris"):
        model = {k: v for k, v in model.items() if k not in _SOURCES}
        base = {k: v for k, v in base.items() if k != "storageUris"}
    if new["modelFormat"]["name"] != model["modelFormat"]["name"]:
        dropped = ("runtime", "runtimeVersion", "protocolVersion", "modelFormat")
        model = {k: v for k, v in model.items() if k not in dropped}
    return {**base, "model": model}


def _merged(base: Any, over: Any) -> Any:
    if not isinstance(base, dict) or not isinstance(over, dict):
        return over
    return {**base, **{k: _merged(base.get(k), v) for k, v in over.items()}}
