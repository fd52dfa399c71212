"""How the server imports scikit-learn and finds a model's file."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from predictors.serving.policy import Policy
from predictors.storage import find_one
from predictors.tabular.diet import lean_imports, use_now

if TYPE_CHECKING:
    from predictors.serving.model import Model
    from predictors.twins.choosing import Choice

__all__ = ["RUNTIME", "SklearnRuntime"]

_FILES: Final = ("model.joblib", "model.pkl", "model.pickle", "model.skops")

_COMMON: Final = (
    "calibration",
    "cluster",
    "compose",
    "cross_decomposition",
    "decomposition",
    "discriminant_analysis",
    "dummy",
    "ensemble",
    "feature_extraction.text",
    "feature_selection",
    "gaussian_process",
    "impute",
    "isotonic",
    "kernel_approximation",
    "linear_model",
    "mixture",
    "multiclass",
    "multioutput",
    "naive_bayes",
    "neighbors",
    "neural_network",
    "pipeline",
    "preprocessing",
    "semi_supervised",
    "svm",
    "tree",
)
"""Modules pickled estimators refer to; importing one later costs a wake-up up to 0.1 s."""


class SklearnRuntime:
    """The runtime of joblib, pickle and skops files."""

    name = "sklearn"
    twin_files = _FILES

    def prepare(self) -> None:
        """Import scikit-learn itself, joblib and numpy."""
        with lean_imports():
            importlib.import_module("sklearn.linear_model")
        importlib.import_module("predictors.sklearn.model")

    def warm(self) -> None:
        """Import the modules pickled estimators commonly refer to."""
        self.prepare()
        importlib.import_module("predictors.twins.choosing")
        with lean_imports():
            for module in _COMMON:
                importlib.import_module(f"sklearn.{module}")
        use_now("scipy.stats")
        self.rehearse()

    def rehearse(self) -> None:
        """Load and ask a made-up classifier."""
        importlib.import_module("predictors.sklearn.rehearsal").rehearse()

    def choose_twin(self, name: str, folder: Path) -> Choice:
        """Whether the model in `folder` is served by its twin. Raises `ModelLoadError`."""
        from predictors.twins.choosing import choose

        return choose(self, name, folder, os.environ)

    def model(self, name: str, folder: Path) -> Model:
        """The model of the one model file in `folder`. Raises `StorageError`."""
        from predictors.sklearn.model import SklearnModel

        policy = Policy.of(os.environ)
        proba = os.environ.get("PREDICT_PROBA", "").lower() == "true"
        file = find_one(folder, _FILES)
        return SklearnModel(name, file, policy=policy, predict_proba=proba)


RUNTIME: Final = SklearnRuntime()
