"""XGBoost boosters and scikit-learn wrappers as models."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import numpy as np
import orjson
import xgboost

from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.model import Model
from predictors.serving.policy import Policy
from predictors.serving.tensors import Tensor, TensorSpec
from predictors.tabular.columns import Columns
from predictors.tabular.estimator import EstimatorModel, refusal
from predictors.tabular.files import read_estimator

__all__ = ["BoosterModel", "WrapperModel"]

_WHERE: Final = re.compile(r"^\[[\d:]+\] \S+:\d+: ")
"""Time, file and line, before what the C++ side says."""


class BoosterModel(Model):
    """A native booster. Outputs: ``predict``, what its objective gives, and ``margin`` before it.

    For ``multi:softprob`` that is a row of probabilities, for ``multi:softmax`` a class, for
    ``binary:logistic`` one probability, as KServe's server answers.
    """

    platform: ClassVar[str] = "xgboost"
    batchable = True
    gil_free = True

    def __init__(self, name: str, file: Path, *, threads: int) -> None:
        super().__init__(name)
        self._file = file
        self._threads = threads

    def load(self) -> None:
        """Read the file and the signature. Raises `ModelLoadError`."""
        try:
            # As bytes: then the content tells the format, whatever the file is called.
            content = bytearray(self._file.read_bytes())
            if not content:  # the library would end the process
                raise ValueError("the file is empty")
            booster = xgboost.Booster({"nthread": self._threads}, model_file=content)
            config = orjson.loads(booster.save_config())["learner"]
        except (xgboost.core.XGBoostError, ValueError) as error:
            raise ModelLoadError(
                f"{self._file} cannot be loaded by XGBoost {xgboost.__version__}: "
                f"{_reason(error)}. Is it a model saved by save_model as .json, .ubj or .bst?"
            ) from error
        names = booster.feature_names
        self._columns = Columns(booster.num_features(), tuple(names) if names else None)
        # The linear booster has no prediction in place.
        self._in_place = config["gradient_booster"]["name"] != "gblinear"
        self._booster = booster
        self.inputs = self._columns.specs()
        self.outputs = _outputs(config)

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
        return ("predict", "margin")

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Predict the rows. Raises `InvalidInputError`."""
        rows = self._columns.numbers(self.name, inputs)
        return [Tensor(name, self._output(name, rows)) for name in wanted or ("predict",)]

    def _output(self, name: str, rows: Any) -> Any:
        if name not in ("predict", "margin"):
            raise InvalidInputError(
                f"Model {self.name} has no output {name}. It has: predict, margin."
            )
        margin = name == "margin"
        try:
            if self._in_place:
                kind = "margin" if margin else "value"
                return self._booster.inplace_predict(
                    rows, predict_type=kind, validate_features=False
                )
            matrix = xgboost.DMatrix(rows, nthread=self._threads)
            return self._booster.predict(matrix, output_margin=margin, validate_features=False)
        except xgboost.core.XGBoostError as error:
            raise InvalidInputError(
                f"Model {self.name} refused the input: {_reason(error)}"
            ) from error
        except (ValueError, TypeError) as error:
            raise refusal(self.name, error) from error


class WrapperModel(EstimatorModel):
    """A pickled `XGBClassifier` or the like, or a pickled booster's wrapper of the user's own.

    With `kind`, e.g. ``XGBClassifier``, the file is a native one to be read into that class.
    """

    platform: ClassVar[str] = "xgboost"
    batchable = True

    def __init__(
        self, name: str, file: Path, *, threads: int, kind: str | None = None, **options: Any
    ) -> None:
        super().__init__(name, file, **options)
        self._threads = threads
        self._kind = kind

    def read(self, file: Path, policy: Policy) -> Any:
        """Unpickle, or fill a new wrapper. Raises `ModelLoadError`."""
        if self._kind is None:
            estimator = read_estimator(file, policy, self.name)
        else:
            try:
                estimator = getattr(xgboost, self._kind)()
                estimator.load_model(file)
            except (ImportError, AttributeError, xgboost.core.XGBoostError) as error:
                raise ModelLoadError(f"{file} is no {self._kind}: {_reason(error)}") from error
        if hasattr(estimator, "get_booster"):
            estimator.get_booster().set_param({"nthread": self._threads})
        return estimator


def _outputs(config: Any) -> tuple[TensorSpec, ...]:
    parameters = config["learner_model_param"]
    classes = int(parameters["num_class"])
    targets = int(parameters.get("num_target", 1))
    width = max(classes, targets, 1)
    flat = config["objective"]["name"] == "multi:softmax"
    return (
        TensorSpec("predict", "FP32", (-1, 1 if flat else width)),
        TensorSpec("margin", "FP32", (-1, width)),
    )


def _reason(error: Exception) -> str:
    """The message without the time, the source line and the stack of the C++ side."""
    line = _WHERE.sub("", (str(error).strip() or type(error).__name__).splitlines()[0])
    return line.rpartition("Check failed: ")[2].removesuffix(".")


def tiny_booster() -> bytes:
    """A trained booster, as UBJSON, for rehearsals."""
    rows = np.arange(16.0).reshape(8, 2)
    data = xgboost.DMatrix(rows, np.arange(8) % 2, nthread=1)
    settings = {"objective": "binary:logistic", "nthread": 1, "max_depth": 1}
    return bytes(xgboost.train(settings, data, 1).save_raw("ubj"))
