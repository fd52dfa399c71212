"""How the server imports LightGBM and finds a model's file."""

from __future__ import annotations

from typing import Final

from predictors.tabular.boosting import BoostingRuntime
from predictors.twins.twinned import Twinned

__all__ = ["RUNTIME", "LightgbmRuntime"]


class LightgbmRuntime(BoostingRuntime, Twinned):
    """The runtime of native files, and of pickled wrappers."""

    def __init__(self) -> None:
        super().__init__("lightgbm", ("model.txt", "model.bst", "model.lgb"))


RUNTIME: Final = LightgbmRuntime()
