"""Fitted objects with scikit-learn's methods as a `Model`: its own, XGBoost's and LightGBM's."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import Any, Final

import numpy as np

from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.model import Model
from predictors.serving.policy import Policy
from predictors.serving.tensors import Array, Tensor, TensorSpec, datatype_of
from predictors.tabular.columns import Columns
from predictors.tabular.signature import columns_of

__all__ = ["METHODS", "EstimatorModel", "refusal"]

METHODS: Final = (
    "predict",
    "transform",
    "predict_proba",
    "predict_log_proba",
    "decision_function",
    "score_samples",
)
"""Each is an output by its name; the first that the estimator has is the default."""

_PER_CLASS: Final = ("predict_proba", "predict_log_proba")


class EstimatorModel(Model):
    """Outputs are those of `METHODS` that the estimator has.

    With `predict_proba` (KServe's PREDICT_PROBA) that method is the default where there is one.
    """

    def __init__(
        self, name: str, file: Path, *, policy: Policy | None = None, predict_proba: bool = False
    ) -> None:
        super().__init__(name)
        self._file = file
        self._policy = policy or Policy()
        self._predict_proba = predict_proba
        self._estimator: Any = None
        self._default: tuple[str, ...] = ("predict",)

    @abstractmethod
    def read(self, file: Path, policy: Policy) -> Any:
        """The fitted object in `file`. Raises `ModelLoadError`."""

    def load(self) -> None:
        """Read the file and the signature. Raises `ModelLoadError`."""
        estimator = self.read(self._file, self._policy)
        methods = tuple(name for name in METHODS if callable(getattr(estimator, name, None)))
        if not methods or not {"predict", "transform"} & set(methods):
            raise ModelLoadError(
                f"{self._file} holds a {type(estimator).__name__}, which has no method predict."
            )
        proba = self._predict_proba and "predict_proba" in methods
        self._default = ("predict_proba",) if proba else methods[:1]
        self._estimator = estimator
        self._methods = methods
        self._columns = columns_of(estimator)
        self.inputs = self._columns.specs()
        self.outputs = tuple(_output_spec(estimator, method) for method in methods)

    @property
    def estimator(self) -> Any:
        """The fitted object, once loaded."""
        return self._estimator

    @property
    def columns(self) -> Columns:
        """What it expects as rows, once loaded."""
        return self._columns

    @property
    def methods(self) -> tuple[str, ...]:
        """Those of `METHODS` that it has, once loaded; the first is the default."""
        return self._methods

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Call the methods named in `wanted` on the rows. Raises `InvalidInputError`."""
        rows = self._columns.rows(self.name, inputs)
        names = wanted or self._default
        try:
            return [Tensor(name, self._called(name, rows)) for name in names]
        except (ValueError, TypeError, AttributeError) as error:
            # An attribute that is missing may be one of a text, where a number was given instead.
            misfit = self._columns.misfit(self.name, inputs, error)
            if misfit is None and isinstance(error, AttributeError):
                raise
            raise misfit or refusal(self.name, error) from error

    def call(self, method: str, rows: Any) -> Any:
        """What a method of the estimator makes of the rows."""
        return getattr(self._estimator, method)(rows)

    def _called(self, method: str, rows: Any) -> Array:
        if method not in self._methods:
            offered = ", ".join(self._methods)
            raise InvalidInputError(f"Model {self.name} has no output {method}. It has: {offered}.")
        result = self.call(method, rows)
        if type(result) is np.ndarray:
            return result
        if isinstance(result, list):  # predict_proba of multi-output classifiers
            return _stacked(result)
        return np.asarray(result.toarray() if hasattr(result, "toarray") else result)


def refusal(model: str, error: Exception) -> InvalidInputError:
    """The framework's own check of its input, whose first line says what is wrong."""
    reason = (str(error).strip() or type(error).__name__).splitlines()[0]
    return InvalidInputError(f"Model {model} refused the input: {reason}")


def _stacked(parts: list[Any]) -> Array:
    """One array of rows x outputs x classes; NaN where an output has fewer classes."""
    width = max(part.shape[1] for part in parts)
    padded = [
        np.pad(
            np.asarray(part, dtype=np.float64),
            ((0, 0), (0, width - part.shape[1])),
            constant_values=np.nan,
        )
        for part in parts
    ]
    return np.stack(padded, axis=1)


def _output_spec(estimator: Any, method: str) -> TensorSpec:
    classes = getattr(estimator, "classes_", None)
    known = classes if isinstance(classes, np.ndarray) else None
    if method == "predict":
        datatype = datatype_of(known.dtype) if known is not None else "FP64"
        return TensorSpec(method, datatype, (-1, 1))
    if method in _PER_CLASS:
        told = {"categories": known.tolist()} if known is not None else None
        return TensorSpec(method, "FP64", (-1, len(known) if known is not None else -1), told)
    return TensorSpec(method, "FP64", (-1, 1) if method == "score_samples" else (-1, -1))
