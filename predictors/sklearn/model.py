"""A scikit-learn estimator or pipeline as a `Model`."""

from __future__ import annotations

import logging
import warnings
from pathlib import Path
from typing import Any, ClassVar

import sklearn
from sklearn.exceptions import InconsistentVersionWarning, NotFittedError
from sklearn.utils.validation import check_is_fitted

from predictors.serving.errors import ModelLoadError
from predictors.serving.policy import Policy
from predictors.sklearn.lean import lean_predict
from predictors.tabular.estimator import EstimatorModel
from predictors.tabular.files import read_estimator
from predictors.tabular.signature import parts

__all__ = ["SklearnModel"]

_log = logging.getLogger(__name__)


class SklearnModel(EstimatorModel):
    """Outputs are the estimator's methods, e.g. ``predict`` and ``predict_proba``."""

    platform: ClassVar[str] = "sklearn"

    def load(self) -> None:
        """Read the file and the signature. Raises `ModelLoadError`."""
        super().load()
        self._check_fitted()
        self._lean = lean_predict(self._estimator)
        kinds = [type(part) for part in parts(self._estimator)]
        # What a class of the user's own does to a row may depend on the others.
        self.batchable = all(kind.__module__.startswith("sklearn.") for kind in kinds)
        self._categorical = "CategoricalNB" in {kind.__name__ for kind in kinds}

    def _check_fitted(self) -> None:
        estimator = self._estimator
        if not type(estimator).__module__.startswith("sklearn."):
            return  # what a class of the user's own needs is its own
        try:
            check_is_fitted(estimator)
        except NotFittedError:
            raise ModelLoadError(
                f"{self._file} holds a {type(estimator).__name__} that has not been fitted. Fit it "
                "before it is saved."
            ) from None

    def read(self, file: Path, policy: Policy) -> Any:
        """Unpickle, saying once if another scikit-learn wrote it. Raises `ModelLoadError`."""
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always")
            estimator = read_estimator(file, policy, self.name)
        versions = [w.message for w in caught if isinstance(w.message, InconsistentVersionWarning)]
        if versions:
            _log.warning(
                "%s was saved by scikit-learn %s and is loaded by %s: predictions may differ. "
                "Save it again with this version, or use an image with that one.",
                file,
                versions[0].original_sklearn_version,
                sklearn.__version__,
            )
        # Asked of an array, a model fitted on a data frame says this on every call; the names
        # were checked by `Columns` already.
        warnings.filterwarnings("ignore", message="X does not have valid feature names")
        return estimator

    def call(self, method: str, rows: Any) -> Any:
        """The estimator's answer, by the lean way where there is one.

        Raises `ValueError` for a category that CategoricalNB has not seen in training: it looks
        categories up by their number, and itself raises a bare `IndexError`.
        """
        if method == "predict" and self._lean is not None:
            answer = self._lean(rows)
            if answer is not None:
                return answer
        try:
            return super().call(method, rows)
        except IndexError as error:
            if not self._categorical:
                raise
            raise ValueError(f"a category was not seen in training: {error}") from error
