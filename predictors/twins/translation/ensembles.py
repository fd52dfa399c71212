"""scikit-learn's trees, forests and boosted trees as one table of nodes."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, NamedTuple

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.artifact import Operation
from predictors.twins.translation.base import UntranslatableError, operation

__all__ = [
    "Nodes",
    "bagged",
    "forest",
    "gradient_boosting",
    "histogram_boosting",
    "isolation",
    "isolation_depth",
    "table",
    "tree",
]

_MOST_NODES: Final = 20_000_000


class Nodes(NamedTuple):
    """One tree; the children of a leaf are the leaf itself."""

    feature: Array
    threshold: Array
    left: Array
    right: Array
    missing_left: Array
    values: Array
    """Of shape (nodes, outputs)."""


def tree(estimator: Any) -> Operation:
    """A decision tree; the values of its outputs lie side by side."""
    nodes = _nodes(estimator)
    return table([nodes], np.zeros(nodes.values.shape[1]), single=True)


def forest(estimator: Any) -> Operation:
    """The mean of decision trees."""
    trees = [_nodes(each) for each in estimator.estimators_]
    return table(trees, np.zeros(trees[0].values.shape[1]), single=True, mean=True)


def bagged(estimator: Any) -> Operation:
    """The mean of decision trees that each look at columns of their own."""
    trees = []
    for each, columns in zip(estimator.estimators_, estimator.estimators_features_, strict=True):
        nodes = _nodes(each)
        trees.append(nodes._replace(feature=np.asarray(columns)[nodes.feature]))
    return table(trees, np.zeros(trees[0].values.shape[1]), single=True, mean=True)


def gradient_boosting(estimator: Any) -> Operation:
    """Boosted trees over a constant."""
    start = estimator.init_
    constant = isinstance(start, str) and start == "zero"
    if not constant and type(start).__name__ not in ("DummyClassifier", "DummyRegressor"):
        raise UntranslatableError(f"it starts from a {type(start).__name__}")
    rate = estimator.learning_rate
    trees = [_nodes(each) for each in estimator.estimators_.ravel()]
    scaled = [each._replace(values=rate * each.values) for each in trees]
    # Of a constant any row tells all.
    row = np.zeros((1, estimator.n_features_in_), dtype=np.float32)
    initial = np.asarray(estimator._raw_predict_init(row), dtype=np.float64).ravel()
    return table(scaled, initial, single=True)


def histogram_boosting(estimator: Any) -> Operation:
    """Histogram-based boosted trees of numbers."""
    if getattr(estimator, "_preprocessor", None) is not None:
        raise UntranslatableError("it has categorical columns")
    trees = []
    for iteration in estimator._predictors:
        for predictor in iteration:
            nodes = predictor.nodes
            if nodes["is_categorical"].any():
                raise UntranslatableError("it has categorical columns")
            itself, leaf = np.arange(len(nodes)), nodes["is_leaf"].astype(bool)
            trees.append(
                Nodes(
                    np.where(leaf, 0, nodes["feature_idx"]),
                    nodes["num_threshold"].astype(np.float64),
                    np.where(leaf, itself, nodes["left"]),
                    np.where(leaf, itself, nodes["right"]),
                    nodes["missing_go_to_left"].astype(bool),
                    nodes["value"].astype(np.float64)[:, None],
                )
            )
    initial = np.asarray(estimator._baseline_prediction, dtype=np.float64).ravel()
    return table(trees, initial, single=False)


def isolation(estimator: Any) -> Operation:
    """The depths at which the trees of an `IsolationForest` set a row apart, added up."""
    trees = []
    learned = zip(
        estimator.estimators_,
        estimator.estimators_features_,
        estimator._decision_path_lengths,
        estimator._average_path_length_per_tree,
        strict=True,
    )
    for each, columns, lengths, averages in learned:
        nodes = _nodes(each)
        depths = (np.asarray(lengths) + np.asarray(averages) - 1.0)[:, None]
        trees.append(nodes._replace(feature=np.asarray(columns)[nodes.feature], values=depths))
    return table(trees, np.zeros(1), single=True)


def isolation_depth(estimator: Any) -> float:
    """What the depths of an `IsolationForest` are held against."""
    from sklearn.ensemble._iforest import _average_path_length

    expected = float(_average_path_length([estimator._max_samples])[0])
    if not expected > 0:
        raise UntranslatableError("IsolationForest learned from one row")
    return len(estimator.estimators_) * expected


def table(
    trees: Sequence[Nodes],
    initial: Array,
    *,
    single: bool,
    strict: bool = False,
    mean: bool = False,
) -> Operation:
    """All trees in one table. Raises `UntranslatableError` where that would be too large."""
    sizes = [len(each.feature) for each in trees]
    if not trees or sum(sizes) > _MOST_NODES:
        raise UntranslatableError(f"it has {sum(sizes)} nodes")
    roots = np.concatenate([[0], np.cumsum(sizes)[:-1]]).astype(np.int64)
    children = [
        np.stack([each.left, each.right], axis=1) + root
        for each, root in zip(trees, roots, strict=True)
    ]
    return operation(
        "trees",
        feature=np.concatenate([each.feature for each in trees]),
        threshold=np.concatenate([each.threshold for each in trees]),
        children=np.concatenate(children),
        missing_left=np.concatenate([each.missing_left for each in trees]),
        roots=roots,
        values=np.concatenate([each.values for each in trees]),
        depth=max(_depth(each) for each in trees),
        initial=initial,
        single=single,
        strict=strict,
        mean=mean,
    )


def _nodes(estimator: Any) -> Nodes:
    inner = estimator.tree_
    leaf = inner.children_left < 0
    itself = np.arange(inner.node_count)
    missing = getattr(inner, "missing_go_to_left", np.zeros(inner.node_count))
    return Nodes(
        np.where(leaf, 0, inner.feature),
        inner.threshold.astype(np.float64),
        np.where(leaf, itself, inner.children_left),
        np.where(leaf, itself, inner.children_right),
        np.asarray(missing).astype(bool),
        np.asarray(inner.value, dtype=np.float64).reshape(inner.node_count, -1),
    )


def _depth(nodes: Nodes) -> int:
    """Steps from the root to the deepest leaf. Raises `UntranslatableError` for a circle."""
    level, depth = np.array([0]), 0
    while True:
        below = np.concatenate([nodes.left[level], nodes.right[level]])
        below = below[np.tile(nodes.left[level] != level, 2)]
        if not len(below):
            return depth
        level, depth = below, depth + 1
        if depth > len(nodes.feature):
            raise UntranslatableError("its nodes lead in a circle")
