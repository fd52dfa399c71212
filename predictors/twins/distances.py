"""Distances to rows that were learned: of clusters, of neighbours.

Where another order of additions could choose another row, the original is asked.
"""

from __future__ import annotations

from typing import Final

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.operations import AskTheOriginal, Step

__all__ = ["distances", "in_blocks", "nearest", "neighbours", "squares"]

_VALUES: Final = 1 << 19
"""Differences in one go: bounds the memory of a large request."""
_NEAR: Final = 1e-11
"""Relative: far above what the order of additions changes."""


def in_blocks(step: Step, size: int) -> Step:
    """`step`, given so many rows at once that `size` values for each are not too much."""
    at_once = max(1, _VALUES // max(1, size))

    def run(rows: Array) -> Array:
        if len(rows) <= at_once:
            return step(rows)
        parts = [rows[begin : begin + at_once] for begin in range(0, len(rows), at_once)]
        return np.concatenate([step(part) for part in parts])

    return run


def squares(vectors: Array) -> Step:
    """Squared distances (rows, vectors), from differences."""
    turned = np.ascontiguousarray(vectors.T)

    def measured(rows: Array) -> Array:
        apart = rows[:, :, None] - turned
        apart *= apart
        total: Array = apart.sum(axis=1)
        return total

    return measured


def distances(vectors: Array) -> Step:
    """Distances as scikit-learn's ``euclidean_distances`` computes them, rounding included."""
    turned, sizes = vectors.T, np.einsum("ij,ij->i", vectors, vectors)

    def measured(rows: Array) -> Array:
        made = -2 * (rows @ turned)
        made += np.einsum("ij,ij->i", rows, rows)[:, None]
        made += sizes
        np.maximum(made, 0, out=made)
        answer: Array = np.sqrt(made, out=made)
        return answer

    return measured


def nearest(vectors: Array, labels: Array, *, expanded: bool = False, narrow: bool = False) -> Step:
    """The label of the nearest vector; with `narrow` an int32.

    `expanded` says that the original adds the row's own square too, which costs it digits.
    """
    turned, sizes = -2 * vectors.T, np.einsum("ij,ij->i", vectors, vectors)
    largest = float(sizes.max())
    told = labels.astype(np.int32) if narrow else labels

    def find(rows: Array) -> Array:
        scores = rows @ turned + sizes
        if len(vectors) > 1:
            least = np.partition(scores, 1, axis=1)
            own = np.einsum("ij,ij->i", rows, rows)
            scale = largest + 2 * np.sqrt(own * largest)
            if expanded:
                scale += own
            if not (least[:, 1] - least[:, 0] > _NEAR * scale).all():
                raise AskTheOriginal
        answer: Array = told.take(scores.argmin(axis=1))
        return answer

    return find


def neighbours(
    vectors: Array, targets: Array, count: int, *, weighted: bool, expanded: bool, votes: bool
) -> Step:
    """The mean of the `targets` (vectors, outputs) of the `count` nearest vectors.

    `weighted` weighs them by the inverse of their distance. `expanded` says that the original
    multiplies out the squares, which costs it digits, `votes` that the largest output matters.
    """
    measured = squares(vectors)
    largest = float(np.einsum("ij,ij->i", vectors, vectors).max()) if expanded else 0.0
    everyone = count >= len(vectors)

    def mean(rows: Array) -> Array:
        apart = measured(rows)
        if everyone:
            chosen = np.broadcast_to(np.arange(len(vectors)), apart.shape)
        else:
            chosen = np.argpartition(apart, count, axis=1)[:, : count + 1]
            lengths = np.take_along_axis(apart, chosen, axis=1)
            last, next_ = lengths[:, :count].max(axis=1), lengths[:, count]
            chosen = chosen[:, :count]
            bound = last * _NEAR
            if expanded:
                bound += _NEAR * (largest + np.einsum("ij,ij->i", rows, rows))
            for row in np.flatnonzero(~(next_ - last > bound)):
                if not _alike(targets[np.abs(apart[row] - last[row]) <= bound[row]]):
                    raise AskTheOriginal
        if not weighted:
            answer: Array = targets[chosen].mean(axis=1)
            return answer
        return _weighed(np.sqrt(np.take_along_axis(apart, chosen, axis=1)), targets[chosen])

    def decided(rows: Array) -> Array:
        made = mean(rows)
        if votes and weighted and made.shape[1] > 1:
            best = np.partition(made, -2, axis=1)[:, -2:]
            if not (best[:, 1] - best[:, 0] > _NEAR).all():
                raise AskTheOriginal
        return made

    return in_blocks(decided, vectors.size)


def _alike(targets: Array) -> bool:
    """Whether it does not matter which of these rows is taken."""
    return bool((targets == targets[0]).all())


def _weighed(lengths: Array, targets: Array) -> Array:
    with np.errstate(divide="ignore"):
        weights = 1.0 / lengths
    endless = np.isinf(weights)
    there = endless.any(axis=1)
    weights[there] = endless[there]
    answer: Array = (targets * weights[:, :, None]).sum(axis=1) / weights.sum(axis=1)[:, None]
    return answer
