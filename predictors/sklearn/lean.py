"""Linear models, alone or behind a StandardScaler, without the checks around their arithmetic.

scikit-learn spends 75 us of an 86 us single-row `predict` on checks the server has made already.
A lean predictor does the arithmetic of the estimator's own `predict` in the same order, is used
only if the installed scikit-learn gave bit-identical answers on random rows, and leaves every
unusual row (not finite, huge, not numbers) to the estimator itself.
"""

from __future__ import annotations

import sys
from collections.abc import Callable
from functools import cache
from itertools import product
from typing import Any, Final

import numpy as np

from predictors.serving.tensors import Array

__all__ = ["lean_predict"]

Lean = Callable[[Any], Array | None]
"""Rows to predictions, or None for "ask the estimator"."""

_HUGE: Final = 1e76
"""Above this sum of squares a value may overflow float32; NaN and infinity compare false too."""


def lean_predict(estimator: Any) -> Lean | None:
    """The lean form of ``estimator.predict``, or None if it has none that is identical."""
    kind: Any = type(estimator)
    # A class of the user's own may predict by what it was fitted with: no probe can tell.
    if not kind.__module__.startswith("sklearn."):
        return None
    for make in (_classifier, _regressor):
        lean = make(estimator)
        if lean is not None and _faithful(make, kind):
            return lean
    return _scaled(estimator)


def _scaled(pipeline: Any) -> Lean | None:
    """A pipeline of exactly a StandardScaler and a linear model."""
    modules = sys.modules
    piped: Any = getattr(modules.get("sklearn.pipeline"), "Pipeline", None)
    scaling: Any = getattr(modules.get("sklearn.preprocessing"), "StandardScaler", None)
    if piped is None or scaling is None or type(pipeline) is not piped or len(pipeline) != 2:
        return None
    scaler, last = pipeline[0], pipeline[1]
    if type(scaler) is not scaling or lean_predict(last) is None:
        return None
    kind: Any = type(last)
    lean = _behind(scaler, last)
    return lean if lean is not None and _faithful_behind((piped, scaling, kind)) else None


def _behind(scaler: Any, last: Any) -> Lean | None:
    inner = _classifier(last) or _regressor(last)
    learned = (scaler.mean_, scaler.scale_)
    # Fitted without centring, a scaler knows the mean all the same.
    used = scaler.with_mean and scaler.with_std
    if inner is None or not used or not all(isinstance(part, np.ndarray) for part in learned):
        return None
    double, single = learned, tuple(part.astype(np.float32) for part in learned)

    def scaled(rows: Any) -> Array | None:
        if not _plain(rows):
            return None
        mean, scale = single if rows.dtype.char == "f" else double
        return inner((rows - mean) / scale)

    return scaled


def _classifier(estimator: Any) -> Lean | None:
    base = sys.modules.get("sklearn.linear_model._base")
    mixin = getattr(base, "LinearClassifierMixin", None)
    if mixin is None or not isinstance(estimator, mixin):
        return None
    kind = type(estimator)
    if kind.predict is not mixin.predict or kind.decision_function is not mixin.decision_function:
        return None
    parts = _dense(estimator.coef_, estimator.intercept_)
    if parts is None or parts[0].ndim != 2 or not isinstance(estimator.classes_, np.ndarray):
        return None
    weights, intercept, classes = parts[0].T, parts[1], estimator.classes_

    def multiclass(rows: Any) -> Array | None:
        if not _plain(rows):
            return None
        scores = rows @ weights + intercept
        best: Array = classes.take(scores.argmax(axis=1))
        return best

    def binary(rows: Any) -> Array | None:
        if not _plain(rows):
            return None
        scores = (rows @ weights + intercept).ravel()
        best: Array = classes.take((scores > 0).astype(np.intp))
        return best

    return binary if weights.shape[1] == 1 else multiclass


def _regressor(estimator: Any) -> Lean | None:
    base = sys.modules.get("sklearn.linear_model._base")
    linear = getattr(base, "LinearModel", None)
    if linear is None or not isinstance(estimator, linear):
        return None
    kind = type(estimator)
    if kind._decision_function is not linear._decision_function:
        return None
    parts = _dense(estimator.coef_, np.asarray(estimator.intercept_))
    if parts is None:
        return None
    weights, intercept = parts[0].T, parts[1]

    def regress(rows: Any) -> Array | None:
        if not _plain(rows):
            return None
        answer: Array = rows @ weights + intercept
        return answer

    return regress


def _dense(coef: Any, intercept: Any) -> tuple[Array, Array] | None:
    for part in (coef, intercept):
        if not isinstance(part, np.ndarray) or part.dtype != np.float64:
            return None
    return coef, intercept


def _plain(rows: Any) -> bool:
    """Whether `rows` is a matrix of ordinary numbers, with at least one row."""
    if type(rows) is not np.ndarray or not rows.size:
        return False
    if rows.dtype.char in "df":
        flat = rows.ravel()
        with np.errstate(over="ignore", invalid="ignore"):
            return float(flat.dot(flat)) < _HUGE
    return rows.dtype.char in "lLiI"


@cache
def _faithful(make: Callable[[Any], Lean | None], kind: Any) -> bool:
    """Whether `make` gives, for this scikit-learn, exactly what `kind` predicts on random rows.

    Asked once per class of estimator, and in a warm parent before any fork: the first `predict`
    of a process takes milliseconds.
    """
    random = np.random.default_rng(0)
    shapes: list[tuple[int, ...]] = [(1, 5), (3, 5)]
    if make is _regressor:
        shapes.append((5,))
    return all(_identical(make, _made(kind, random, shape), random) for shape in shapes)


@cache
def _faithful_behind(classes: tuple[Any, Any, Any]) -> bool:
    """The same of a pipeline, a scaler and a linear model of these classes."""
    piped, scaling, kind = classes
    random = np.random.default_rng(0)

    def make(pipeline: Any) -> Lean | None:
        return _behind(pipeline[0], pipeline[1])

    for shape in ((1, 5), (3, 5)):
        scaler = scaling()
        scaler.n_features_in_ = 5
        scaler.mean_ = random.normal(size=5)
        scaler.scale_ = random.uniform(0.1, 3.0, size=5)
        pipeline = piped([("scale", scaler), ("last", _made(kind, random, shape))])
        if not _identical(make, pipeline, random):
            return False
    return True


def _made(kind: Any, random: np.random.Generator, shape: tuple[int, ...]) -> Any:
    """An estimator of `kind` as if fitted on five features, `shape` being that of its weights."""
    estimator = kind()
    estimator.n_features_in_ = 5
    estimator.coef_ = random.normal(size=shape)
    estimator.intercept_ = random.normal(size=shape[:-1])
    estimator.classes_ = np.arange(max(shape[0], 2)) * 2
    return estimator


def _identical(make: Callable[[Any], Lean | None], estimator: Any, random: Any) -> bool:
    lean = make(estimator)
    if lean is None:
        return False
    for size, dtype in product((1, 64), (np.float64, np.float32, np.int64)):
        rows = random.normal(scale=3.0, size=(size, 5)).astype(dtype)
        try:
            wanted = estimator.predict(rows)
        except Exception:
            return False
        given = lean(rows)
        if given is None or given.dtype != wanted.dtype or not np.array_equal(given, wanted):
            return False
    return True
