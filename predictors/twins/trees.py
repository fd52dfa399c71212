"""Decision trees, one or many, walked all at once by numpy.

The nodes of all trees lie in one table. A row starts at every root; each step moves it one level
down in all trees, leaves pointing at themselves. The sums are made in the order of the trees, as
scikit-learn, XGBoost and LightGBM make them, so that a tie falls the same way.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

import numpy as np

from predictors.serving.tensors import Array

__all__ = ["grown"]

_VISITS: Final = 1 << 20
"""Rows times trees times values looked at in one go: bounds the memory of a large request."""


def grown(
    feature: Array,
    threshold: Array,
    children: Array,
    missing_left: Array,
    roots: Array,
    values: Array,
    depth: int,
    initial: Array,
    *,
    single: bool,
    strict: bool = False,
    mean: bool = False,
    narrow: bool = False,
) -> Callable[[Array], Array]:
    """Rows to raw scores, float64 of shape (rows, outputs).

    `children` is (nodes, 2), `values` (nodes, outputs of a tree). Tree t adds to all outputs, or,
    where `values` has one column and `initial` several, to output t modulo their number. A row goes
    left at ``x <= threshold`` (``<`` when `strict`); `single` rounds rows to float32 first. `mean`
    divides by the number of trees, `narrow` adds in float32. Raises `ValueError` for a table that
    leads outside itself.
    """
    nodes, columns = len(feature), values.shape[1]
    pairs = children.ravel().astype(np.intp)
    where = feature.astype(np.intp)
    begin = roots.astype(np.intp)
    if not (pairs.size == 2 * nodes == 2 * len(values) == 2 * len(threshold)):
        raise ValueError("the tables differ in length")
    for table in (pairs, begin):
        if table.size and not 0 <= table.min() <= table.max() < nodes:
            raise ValueError("a node lies outside the table")
    missing_right = ~missing_left
    count, outputs = len(begin), len(initial)
    flat_values = np.ascontiguousarray(values, dtype=np.float64)
    only = flat_values.ravel() if columns == 1 else None
    kind = np.float32 if narrow else np.float64
    at_once = max(1, _VISITS // max(1, count * columns))

    def leaves(rows: Array) -> Array:
        size, width = rows.shape
        flat = rows.ravel()
        with np.errstate(invalid="ignore"):
            holes = bool(np.isnan(flat.sum())) and bool(np.isnan(flat).any())
        at = np.tile(begin, size)
        offsets = np.repeat(np.arange(size) * width, count) if size > 1 else None
        for _ in range(depth):
            places = where.take(at)
            if offsets is not None:
                places += offsets
            seen = flat.take(places)
            right = seen >= threshold.take(at) if strict else seen > threshold.take(at)
            if holes:
                right |= np.isnan(seen) & missing_right.take(at)
            at += at
            at += right
            at = pairs.take(at)
        return at

    def summed(rows: Array) -> Array:
        at = leaves(rows)
        size = len(rows)
        if only is not None:
            parts = only.take(at).reshape(size, count // outputs, outputs)
        else:
            parts = flat_values.take(at, axis=0).reshape(size, count, columns)
        whole = np.empty((size, parts.shape[1] + 1, outputs), kind)
        whole[:, 0] = initial
        whole[:, 1:] = parts
        # Adding along an axis that is contiguous, numpy would add in pairs.
        total: Array = np.add.reduce(whole, axis=1) if outputs > 1 else _running(whole)
        return total

    def scores(rows: Array) -> Array:
        if single:
            with np.errstate(over="ignore"):
                rows = rows.astype(np.float32)
        rows = rows.astype(np.float64, copy=False)
        blocks = [summed(rows[begin : begin + at_once]) for begin in range(0, len(rows), at_once)]
        total = blocks[0] if len(blocks) == 1 else np.concatenate(blocks)
        total = total.astype(np.float64, copy=False)
        if mean:
            total /= count
        return total

    return scores


def _running(whole: Array) -> Array:
    last: Array = np.add.accumulate(whole, axis=1)[:, -1]
    return last
