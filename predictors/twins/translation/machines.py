"""scikit-learn's kernel machines: what libsvm learned, as a matrix of weights."""

from __future__ import annotations

from typing import Any, Final

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.artifact import Operation
from predictors.twins.translation.base import (
    Translated,
    UntranslatableError,
    classes_of,
    operation,
    reals,
)

__all__ = ["classifier", "one_class", "regressor"]

_KERNELS: Final = ("linear", "poly", "rbf", "sigmoid")
_MOST_VALUES: Final = 4_000_000
"""Of support vectors or weights; the compiled loop is faster with more."""


def classifier(estimator: Any) -> Translated:
    """`SVC` or `NuSVC`."""
    classes = classes_of(estimator)
    count = len(classes)
    base = _machine(estimator, _weights(estimator, count), sure=True)
    rest = operation("versus_rest", count=count)
    if count == 2:
        decision = [operation("times", by=-1.0), operation("flat")]
    else:
        each = estimator.decision_function_shape == "ovr"
        decision = [rest if each else operation("same")]
    label = [operation("voted", classes=classes)]
    if estimator.break_ties and count > 2:
        label = [rest, operation("best", classes=classes)]
    heads = {"predict": [label], "decision_function": [decision]}
    if len(estimator._probA):
        slopes, offsets = reals(estimator, "_probA"), reals(estimator, "_probB")
        couple = operation("coupled", slopes=slopes, offsets=offsets, count=count)
        heads["predict_proba"] = [[couple]]
        heads["predict_log_proba"] = [[couple, operation("log")]]
    return Translated([base], heads)


def regressor(estimator: Any) -> Translated:
    """`SVR` or `NuSVR`."""
    base = _machine(estimator, reals(estimator, "_dual_coef_").T, sure=False)
    return Translated([base], {"predict": [[operation("flat")]]})


def one_class(estimator: Any) -> Translated:
    """`OneClassSVM`: 1 inside, -1 outside."""
    base = _machine(estimator, reals(estimator, "_dual_coef_").T, sure=True)
    flat = operation("flat")
    offset = operation("plus", by=np.ravel(reals(estimator, "offset_")))
    heads = {
        "predict": [[operation("above", classes=np.array([-1, 1]))]],
        "decision_function": [[flat]],
        "score_samples": [[flat, offset]],
    }
    return Translated([base], heads)


def _weights(estimator: Any, count: int) -> Array:
    """libsvm's coefficients, (classes - 1, vectors), as (vectors, pairs)."""
    told = reals(estimator, "_dual_coef_")
    ends = np.cumsum(estimator._n_support)
    spans = [slice(end - size, end) for end, size in zip(ends, estimator._n_support, strict=True)]
    pairs = [(i, j) for i in range(count) for j in range(i + 1, count)]
    if told.shape[1] * len(pairs) > _MOST_VALUES:
        raise UntranslatableError(f"it has {told.shape[1]} support vectors of {count} classes")
    weights = np.zeros((told.shape[1], len(pairs)))
    for pair, (i, j) in enumerate(pairs):
        weights[spans[i], pair] = told[j - 1, spans[i]]
        weights[spans[j], pair] = told[i, spans[j]]
    return weights


def _machine(estimator: Any, weights: Array, *, sure: bool) -> Operation:
    name = type(estimator).__name__
    if not (isinstance(estimator.kernel, str) and estimator.kernel in _KERNELS):
        raise UntranslatableError(f"{name} has a kernel that is computed elsewhere")
    if estimator._sparse:
        raise UntranslatableError(f"{name} learned from a sparse matrix")
    vectors = reals(estimator, "support_vectors_")
    if not 0 < vectors.size <= _MOST_VALUES:
        raise UntranslatableError(f"{name} has {len(vectors)} support vectors")
    return operation(
        "machine",
        vectors=vectors,
        weights=weights,
        intercept=reals(estimator, "_intercept_"),
        kernel=estimator.kernel,
        gamma=float(estimator._gamma),
        coef0=float(estimator.coef0),
        degree=int(estimator.degree),
        sure=sure,
    )
