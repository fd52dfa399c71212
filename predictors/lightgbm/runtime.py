"""The runtime of LightGBM."""

from __future__ import annotations

from typing import Final

from predictors.tabular.boosting import BoostingRuntime

__all__ = ["RUNTIME"]

RUNTIME: Final = BoostingRuntime("lightgbm", ("model.txt", "model.bst", "model.lgb"))
