"""scikit-learn's estimators that look for what is nearest: neighbours, centroids, clusters."""

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

__all__ = ["centroids", "clusters", "neighbours_classifier", "neighbours_regressor"]

_MOST_VALUES: Final = 50_000
"""Of learned rows; with more the original's search trees are faster."""


def clusters(estimator: Any) -> Translated:
    """`KMeans` or `MiniBatchKMeans`."""
    centres = reals(estimator, "cluster_centers_")
    find = operation("nearest", vectors=centres, labels=np.arange(len(centres)), narrow=True)
    heads = {"predict": [[find]], "transform": [[operation("distances", vectors=centres)]]}
    return Translated([operation("same")], heads)


def centroids(estimator: Any) -> Translated:
    """The labels of `NearestCentroid`, where all classes are equally likely."""
    if estimator.metric != "euclidean":
        raise UntranslatableError(f"NearestCentroid measures {estimator.metric} distances")
    classes = classes_of(estimator)
    prior = getattr(estimator, "class_prior_", None)
    if prior is not None and not np.isclose(prior, 1 / len(classes)).all():
        raise UntranslatableError("the classes of NearestCentroid are not equally likely")
    vectors = reals(estimator, "centroids_")
    find = operation("nearest", vectors=vectors, labels=classes, expanded=True)
    return Translated([operation("same")], {"predict": [[find]]})


def neighbours_classifier(estimator: Any) -> Translated:
    """`KNeighborsClassifier` of one output."""
    classes = classes_of(estimator)
    if estimator.outputs_2d_:
        raise UntranslatableError("KNeighborsClassifier has several outputs")
    votes = np.eye(len(classes))[np.asarray(estimator._y).ravel()]
    base = _neighbours(estimator, votes, votes=True)
    heads = {
        "predict": [[operation("best", classes=classes)]],
        "predict_proba": [[operation("same")]],
    }
    return Translated([base], heads)


def neighbours_regressor(estimator: Any) -> Translated:
    """`KNeighborsRegressor`."""
    learned = np.asarray(estimator._y)
    if learned.dtype.kind not in "iu" and learned.dtype != np.float64:
        raise UntranslatableError(f"KNeighborsRegressor learned from {learned.dtype}")
    targets = learned.astype(np.float64).reshape(len(learned), -1)
    end = operation("flat" if learned.ndim == 1 else "same")
    return Translated([_neighbours(estimator, targets, votes=False)], {"predict": [[end]]})


def _neighbours(estimator: Any, targets: Array, *, votes: bool) -> Operation:
    name, vectors = type(estimator).__name__, estimator._fit_X
    if estimator.effective_metric_ != "euclidean":
        raise UntranslatableError(f"{name} measures {estimator.effective_metric_} distances")
    if not isinstance(vectors, np.ndarray) or vectors.dtype != np.float64:
        raise UntranslatableError(f"{name} learned from other rows than float64")
    if vectors.size > _MOST_VALUES:
        raise UntranslatableError(f"{name} keeps {vectors.size} values")
    weighted, expanded = estimator.weights == "distance", estimator._fit_method == "brute"
    if estimator.weights not in (None, "uniform", "distance"):
        raise UntranslatableError(f"{name} has weights of the user's own")
    if weighted and expanded:
        raise UntranslatableError(f"{name} weighs distances whose rounding is its own")
    return operation(
        "neighbours",
        vectors=vectors,
        targets=targets,
        count=int(estimator.n_neighbors),
        weighted=weighted,
        expanded=expanded,
        votes=votes,
    )
