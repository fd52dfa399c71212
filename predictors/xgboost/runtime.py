"""How the server imports XGBoost and finds a model's file."""

from __future__ import annotations

from typing import Final

from predictors.tabular.boosting import BoostingRuntime
from predictors.twins.twinned import Twinned

__all__ = ["RUNTIME", "XgboostRuntime"]


class XgboostRuntime(BoostingRuntime, Twinned):
    """The runtime of native files, and of pickled wrappers."""

    def __init__(self) -> None:
        super().__init__("xgboost", ("model.bst", "model.json", "model.ubj"))


RUNTIME: Final = XgboostRuntime()
