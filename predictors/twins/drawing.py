"""Rows to hold a twin against its original: typical ones, and those where the two might part.

What the model learned tells where its columns live: the thresholds of trees, the means and scales
of scalers, the categories of encoders. A row mixes such values, their neighbours in floating
point, zeros, whole numbers, and numbers of very different sizes.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

import numpy as np

from predictors.serving.tensors import Array
from predictors.twins.artifact import Operation

__all__ = ["extreme_rows", "rows_near"]

_PER_COLUMN: Final = 4096


def rows_near(
    operations: Sequence[Operation], width: int, count: int, random: np.random.Generator
) -> Array:
    """`count` finite rows of `width` columns, most of their values near what was learned."""
    known: list[list[Array]] = [[] for _ in range(width)]
    fixed = _collect(operations, np.arange(width), known)
    drawn = [_column(known[c], c in fixed, count, random) for c in range(width)]
    rows = np.column_stack(drawn)
    if not fixed:
        _near_whole_rows(rows, known, random)
    return rows


def extreme_rows(rows: Array) -> Array:
    """Some of `rows` with one or all values replaced by zeros and by the ends of float64."""
    made: list[Array] = []
    for value in (0.0, -0.0, 5e-324, 1e-30, 1e12, 1e30, 1e37, 3.4e38, 1e39, 1e200, 1.7e308):
        for signed in (value, -value):
            whole = np.full(rows.shape[1], signed)
            one = rows[0].copy()
            one[len(made) % rows.shape[1]] = signed
            made += [whole, one]
    return np.array(made)


def _column(known: Sequence[Array], fixed: bool, count: int, random: np.random.Generator) -> Array:
    """Values of one column; only the known ones where the column is `fixed`."""
    values = np.unique(np.concatenate(known)) if known else np.zeros(1)
    values = values[np.isfinite(values)]
    if not len(values):
        values = np.zeros(1)
    if len(values) > _PER_COLUMN:
        values = random.choice(values, _PER_COLUMN, replace=False)
    exact = random.choice(values, count)
    if fixed:
        return exact
    spread = float(np.ptp(values)) or max(1.0, abs(float(values[0])))
    sizes = 10.0 ** random.integers(-2, 4, count)
    ways = [
        exact,
        np.nextafter(exact, np.inf),
        np.nextafter(exact, -np.inf),
        np.nextafter(exact.astype(np.float32), np.float32(np.inf)).astype(np.float64),
        exact + random.normal(scale=spread / 2, size=count),
        random.uniform(values.min() - spread, values.max() + spread, count),
        random.normal(scale=sizes),
        np.round(exact + random.normal(scale=spread, size=count)),
    ]
    weights = [0.1, 0.05, 0.05, 0.05, 0.3, 0.3, 0.1, 0.05]
    made: Array = np.choose(random.choice(len(ways), count, p=weights), ways)
    return made


def _near_whole_rows(
    rows: Array, known: Sequence[Sequence[Array]], random: np.random.Generator
) -> None:
    """Put half of `rows`, in place, near rows that were learned whole, where some were."""
    sizes = {len(values[-1]) if values else 0 for values in known}
    if len(sizes) > 1 or max(sizes) < 2:
        return
    chosen = random.random(len(rows)) < 0.5
    examples = np.column_stack([values[-1] for values in known])
    near = examples[random.integers(len(examples), size=int(chosen.sum()))]
    noise = random.normal(size=near.shape) * np.ptp(examples, axis=0) / 8
    rows[chosen] = near + noise * (random.random(len(near)) < 0.8)[:, None]


def _collect(
    operations: Sequence[Operation], columns: Array, known: Sequence[list[Array]]
) -> set[int]:
    """Add to `known` what operations on `columns` know of each; return those that are fixed.

    Steps that act on each column alone are undone, so that what is behind them counts too.
    """
    scale, shift = np.ones(len(columns)), np.zeros(len(columns))
    for name, told in operations:
        if name in ("minus", "plus", "over", "times"):
            by = told["by"]
            if name == "minus":
                shift = shift + scale * by
                _near(known, columns, shift)
            elif name == "plus":
                shift = shift - scale * by
            elif name == "over":
                scale = scale * by
                _near(known, columns, shift + scale, shift - scale)
            else:
                scale = scale / by
        elif name == "impute":
            _near(known, columns, told["values"] * scale + shift)
        elif name == "take":
            columns, scale, shift = (each[told["columns"]] for each in (columns, scale, shift))
        elif name in ("onehot", "ordinal"):
            for column, values in zip(columns, told["categories"], strict=True):
                known[column].append(values)
            return {int(column) for column in columns}
        elif name in _LEARNED:
            _LEARNED[name](known, columns, scale, shift, told)
            return set()
        elif name in ("columns", "blend"):
            inner = [(columns[each["take"]], each["steps"]) for each in told["branches"]]
            return set().union(*(_collect(steps, taken, known) for taken, steps in inner))
        elif name not in ("clip", "same"):
            return set()
    return set()


def _near(known: Sequence[list[Array]], columns: Array, *rows: Array) -> None:
    for row in rows:
        for column, value in zip(columns, np.broadcast_to(row, columns.shape), strict=True):
            known[column].append(np.array([value]))


def _near_thresholds(
    known: Sequence[list[Array]],
    columns: Array,
    scale: Array,
    shift: Array,
    told: Mapping[str, Any],
) -> None:
    feature, threshold = told["feature"], told["threshold"]
    order = np.argsort(feature, kind="stable")
    bounds = np.searchsorted(feature[order], np.arange(len(columns) + 1))
    for index, column in enumerate(columns):
        mine = threshold[order[bounds[index] : bounds[index + 1]]].astype(np.float64)
        known[column].append(np.unique(mine) * scale[index] + shift[index])


def _near_means(
    known: Sequence[list[Array]],
    columns: Array,
    _scale: Array,
    _shift: Array,
    told: Mapping[str, Any],
) -> None:
    spread = np.sqrt(told["variances"])
    _near(known, columns, *(told["means"] + spread), *(told["means"] - spread))


def _near_examples(
    known: Sequence[list[Array]],
    columns: Array,
    scale: Array,
    shift: Array,
    told: Mapping[str, Any],
) -> None:
    for index, column in enumerate(columns):
        known[column].append(told["vectors"][:, index] * scale[index] + shift[index])


_LEARNED: Final[Mapping[str, Callable[..., None]]] = {
    "trees": _near_thresholds,
    "gaussian": _near_means,
    "machine": _near_examples,
    "nearest": _near_examples,
    "neighbours": _near_examples,
}
"""Operations that know where the columns that they are given live."""
