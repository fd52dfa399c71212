"""Which translator knows a loaded original, and how closely its twin must agree."""

from __future__ import annotations

from typing import Any, Protocol, cast

from predictors.serving.model import Model
from predictors.tabular.columns import Columns
from predictors.tabular.estimator import EstimatorModel
from predictors.twins.agreement import Tolerance
from predictors.twins.translation.base import Translated, UntranslatableError

__all__ = ["Original", "translate_original"]

_NARROW = Tolerance(relative=1e-5, absolute=1e-6)
"""Of a framework that computes in float32."""


class Original(Protocol):
    """What a translation needs to know of a loaded model."""

    @property
    def columns(self) -> Columns:
        """What it expects as rows."""

    @property
    def methods(self) -> tuple[str, ...]:
        """Its outputs, the default first."""


def translate_original(model: Model) -> tuple[Original, Translated, Tolerance]:
    """The arithmetic of a loaded model. Raises `UntranslatableError`."""
    if model.platform == "sklearn" and isinstance(model, EstimatorModel):
        from predictors.twins.translation.estimators import translate

        return model, translate(model.estimator), Tolerance()
    if model.platform == "xgboost":
        from predictors.twins.translation.xgboost import translate_booster, translate_wrapper

        if isinstance(model, EstimatorModel):
            return model, translate_wrapper(model.estimator), _NARROW
        native = cast("Any", model)
        return native, translate_booster(native.booster), _NARROW
    if model.platform == "lightgbm":
        from predictors.twins.translation import lightgbm

        if isinstance(model, EstimatorModel):
            return model, lightgbm.translate_wrapper(model.estimator), Tolerance()
        native = cast("Any", model)
        return native, lightgbm.translate_booster(native.booster), Tolerance()
    raise UntranslatableError(f"there is no translation of a {type(model).__name__}")
