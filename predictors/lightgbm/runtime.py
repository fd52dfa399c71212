"""How the server imports LightGBM and finds a model's file."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from predictors.serving.policy import Policy
from predictors.storage import find_one
from predictors.tabular.cpus import usable_cpus
from predictors.tabular.diet import lean_imports
from predictors.tabular.files import PICKLES

if TYPE_CHECKING:
    from predictors.serving.model import Model
    from predictors.twins.choosing import Choice

__all__ = ["RUNTIME", "LightgbmRuntime"]

_NATIVE: Final = ("model.txt", "model.bst", "model.lgb")
_FILES: Final = (*_NATIVE, "model.joblib", "model.pkl", "model.pickle", "model.skops")


class LightgbmRuntime:
    """The runtime of native files, and of pickled wrappers."""

    name = "lightgbm"
    twin_files = _FILES

    def prepare(self) -> None:
        """Import LightGBM and numpy."""
        with lean_imports():
            importlib.import_module("predictors.lightgbm.model")

    def warm(self) -> None:
        """The same, and ask a tiny model."""
        self.prepare()
        importlib.import_module("predictors.twins.choosing")
        self.rehearse()

    def rehearse(self) -> None:
        """Load and ask a tiny model."""
        importlib.import_module("predictors.lightgbm.rehearsal").rehearse()

    def choose_twin(self, name: str, folder: Path) -> Choice:
        """Whether the model in `folder` is served by its twin. Raises `ModelLoadError`."""
        from predictors.twins.choosing import choose

        return choose(self, name, folder, os.environ)

    def model(self, name: str, folder: Path) -> Model:
        """The model of the one model file in `folder`. Raises `StartupError`."""
        from predictors.lightgbm.model import BoosterModel, WrapperModel

        file = find_one(folder, _FILES)
        if file.suffix in (*PICKLES, ".skops"):
            proba = os.environ.get("PREDICT_PROBA", "").lower() == "true"
            policy = Policy.of(os.environ)
            return WrapperModel(
                name, file, threads=usable_cpus(), policy=policy, predict_proba=proba
            )
        return BoosterModel(name, file, threads=usable_cpus())


RUNTIME: Final = LightgbmRuntime()
