"""The runtime of XGBoost."""

from __future__ import annotations

from typing import Final

from predictors.tabular.boosting import BoostingRuntime

__all__ = ["RUNTIME"]

RUNTIME: Final = BoostingRuntime("xgboost", ("model.bst", "model.json", "model.ubj"))
