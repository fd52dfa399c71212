"""A scikit-learn estimator or pipeline as a `Model`."""

from __future__ import annotations

import logging
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, ClassVar, Final

import joblib
import numpy as np
import sklearn
from sklearn.exceptions import InconsistentVersionWarning

from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.model import Model
from predictors.serving.tensors import Array, Tensor, TensorSpec, datatype_of
from predictors.sklearn.features import Features
from predictors.sklearn.lean import lean_predict

__all__ = ["SklearnModel"]

_log = logging.getLogger(__name__)

_METHODS: Final = ("predict", "predict_proba")


class SklearnModel(Model):
    """Outputs are the estimator's methods ``predict`` and, where it has it, ``predict_proba``."""

    platform: ClassVar[str] = "sklearn"

    def __init__(self, name: str, file: Path, *, predict_proba: bool = False) -> None:
        super().__init__(name)
        self._file = file
        self._predict_proba = predict_proba
        self._estimator: Any = None
        self._default: tuple[str, ...] = ("predict",)

    def load(self) -> None:
        """Unpickle and read the signature. Raises `ModelLoadError`."""
        estimator = _unpickled(self._file)
        methods = tuple(name for name in _METHODS if callable(getattr(estimator, name, None)))
        if "predict" not in methods:
            raise ModelLoadError(
                f"{self._file} holds a {type(estimator).__name__}, which has no method predict."
            )
        if self._predict_proba and "predict_proba" in methods:
            self._default = ("predict_proba",)
        self._estimator = estimator
        self._methods = methods
        self._features = Features.of(estimator)
        self._lean = lean_predict(estimator)
        self.inputs = self._features.specs()
        self.outputs = _output_specs(estimator, methods)

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Call the methods named in `wanted` on the rows. Raises `InvalidInputError`."""
        rows = self._features.rows(self.name, inputs)
        names = wanted or self._default
        return [Tensor(name, self._call(name, rows)) for name in names]

    def _call(self, method: str, rows: Any) -> Array:
        if method not in self._methods:
            offered = ", ".join(self._methods)
            raise InvalidInputError(f"Model {self.name} has no output {method}. It has: {offered}.")
        try:
            if method == "predict" and self._lean is not None:
                answer = self._lean(rows)
                if answer is not None:
                    return answer
            result = getattr(self._estimator, method)(rows)
        except (ValueError, TypeError) as error:
            # scikit-learn's checks of its input raise these; its first line says what is wrong.
            reason = (str(error).strip() or type(error).__name__).splitlines()[0]
            raise InvalidInputError(f"Model {self.name} refused the input: {reason}") from error
        if isinstance(result, list):  # predict_proba of multi-output classifiers
            return np.stack([np.asarray(part) for part in result], axis=1)
        return np.asarray(result.toarray() if hasattr(result, "toarray") else result)


def _unpickled(file: Path) -> Any:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        try:
            estimator = joblib.load(file)
        except Exception as error:
            raise ModelLoadError(f"{file} cannot be loaded: {_why(error)}") from error
    versions = [w.message for w in caught if isinstance(w.message, InconsistentVersionWarning)]
    if versions:
        _log.warning(
            "%s was saved by scikit-learn %s and is loaded by %s: predictions may differ. "
            "Save it again with this version, or use an image with that one.",
            file,
            versions[0].original_sklearn_version,
            sklearn.__version__,
        )
    # Asked of an array, a model fitted on a data frame says this on every call; the names were
    # checked by `Features` already.
    warnings.filterwarnings("ignore", message="X does not have valid feature names")
    return estimator


def _why(error: Exception) -> str:
    if isinstance(error, ModuleNotFoundError):
        return f"it needs the Python module {error.name}, which is not installed here."
    if isinstance(error, AttributeError):
        return (
            f"{error}. It was probably saved by another scikit-learn than {sklearn.__version__}, "
            "or refers to code that is not installed here."
        )
    reason = (str(error).strip() or "no reason given").splitlines()[0]
    return f"{type(error).__name__}: {reason}. Is it a joblib or pickle file?"


def _output_specs(estimator: Any, methods: Sequence[str]) -> tuple[TensorSpec, ...]:
    classes = getattr(estimator, "classes_", None)
    datatype = datatype_of(classes.dtype) if isinstance(classes, np.ndarray) else "FP64"
    specs = [TensorSpec("predict", datatype, (-1, 1))]
    if "predict_proba" in methods:
        width = len(classes) if isinstance(classes, np.ndarray) else -1
        specs.append(TensorSpec("predict_proba", "FP64", (-1, width)))
    return tuple(specs)
