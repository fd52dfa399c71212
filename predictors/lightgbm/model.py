"""LightGBM boosters and scikit-learn wrappers as models."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar

import lightgbm
import numpy as np

from predictors.lightgbm.categories import Categories
from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.model import Model
from predictors.serving.policy import Policy
from predictors.serving.tensors import Tensor, TensorSpec
from predictors.tabular.columns import Columns
from predictors.tabular.estimator import EstimatorModel, refusal
from predictors.tabular.files import read_estimator

__all__ = ["BoosterModel", "WrapperModel"]


class BoosterModel(Model):
    """A native booster. Outputs: ``predict``, what its objective gives, and ``raw_score``.

    Columns that were pandas categories when it was trained take their values as they were.
    """

    platform: ClassVar[str] = "lightgbm"
    batchable = True
    gil_free = True

    def __init__(self, name: str, file: Path, *, threads: int) -> None:
        super().__init__(name)
        self._file = file
        self._threads = threads

    def load(self) -> None:
        """Read the file and the signature. Raises `ModelLoadError`."""
        try:
            booster = lightgbm.Booster(model_str=self._file.read_text(encoding="utf-8"))
        except (lightgbm.basic.LightGBMError, ValueError, OSError) as error:
            raise ModelLoadError(
                f"{self._file} cannot be loaded by LightGBM {lightgbm.__version__}: "
                f"{str(error).splitlines()[0]}. Is it a model saved by save_model as text?"
            ) from error
        self._booster = booster
        self._categories = Categories.of(booster)
        names = tuple(booster.feature_name())
        self._columns = Columns(booster.num_feature(), names, strings=self._categories is not None)
        self.inputs = self._columns.specs()
        width = booster.num_model_per_iteration()
        self.outputs = (
            TensorSpec("predict", "FP64", (-1, width)),
            TensorSpec("raw_score", "FP64", (-1, width)),
        )

    @property
    def booster(self) -> Any:
        """The booster, once loaded."""
        return self._booster

    @property
    def columns(self) -> Columns:
        """What it expects as rows, once loaded."""
        return self._columns

    @property
    def methods(self) -> tuple[str, ...]:
        """Its outputs; the first is the default."""
        return ("predict", "raw_score")

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Predict the rows. Raises `InvalidInputError`."""
        if self._categories is None:
            rows = self._columns.numbers(self.name, inputs)
        else:
            rows = self._categories.coded(self.name, self._columns.rows(self.name, inputs))
        return [Tensor(name, self._output(name, rows)) for name in wanted or ("predict",)]

    def _output(self, name: str, rows: Any) -> Any:
        if name not in ("predict", "raw_score"):
            raise InvalidInputError(
                f"Model {self.name} has no output {name}. It has: predict, raw_score."
            )
        try:
            return self._booster.predict(
                rows, raw_score=name == "raw_score", num_threads=self._threads
            )
        except (lightgbm.basic.LightGBMError, ValueError, TypeError) as error:
            raise refusal(self.name, error) from error


class WrapperModel(EstimatorModel):
    """A pickled `LGBMClassifier` or the like."""

    platform: ClassVar[str] = "lightgbm"
    batchable = True

    def __init__(self, name: str, file: Path, *, threads: int, **options: Any) -> None:
        super().__init__(name, file, **options)
        self._threads = threads

    def read(self, file: Path, policy: Policy) -> Any:
        """Unpickle. Raises `ModelLoadError`."""
        return read_estimator(file, policy, self.name)

    def call(self, method: str, rows: Any) -> Any:
        """The wrapper's answer, on as many threads as this process has cores."""
        return getattr(self._estimator, method)(rows, num_threads=self._threads)


def tiny_booster() -> bytes:
    """A trained booster, as text, for rehearsals."""
    rows = np.arange(16.0).reshape(8, 2)
    settings = {"objective": "binary", "num_threads": 1, "min_data_in_leaf": 1, "verbose": -1}
    data = lightgbm.Dataset(rows, np.arange(8) % 2, params={"verbose": -1, "num_threads": 1})
    text: str = lightgbm.train(settings, data, 1).model_to_string()
    return text.encode()
