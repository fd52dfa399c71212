"""The columns of a fitted estimator or pipeline, read from what it learned."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from typing import Any, Final

import numpy as np

from predictors.serving.tensors import datatype_of
from predictors.tabular.columns import Columns, frame_of_pandas

__all__ = ["columns_of", "parts"]

_LEARNED: Final = ("categories_", "statistics_")
"""What encoders and imputers learned per column; its type is the column's."""


def columns_of(estimator: Any) -> Columns:
    """Read them from a fitted estimator. Raises `ModelLoadError` where pandas is missing."""
    count = getattr(estimator, "n_features_in_", None)
    listed = getattr(estimator, "feature_names_in_", None)
    names = tuple(str(name) for name in listed) if listed is not None else None
    by_name = names is not None and any(_selects_by_name(part) for part in parts(estimator))
    return Columns(
        int(count) if count is not None else None,
        names,
        frame_of_pandas() if by_name else None,
        _datatypes(estimator) if by_name else {},
        strings=any(_takes_strings(part) for part in parts(estimator)),
        text=count is None and _is_text(_first(estimator)),
        texts=_texts(estimator),
    )


def parts(estimator: Any) -> Iterator[Any]:
    """The estimator and all in it: steps of pipelines, fitted transformers of columns."""
    yield estimator
    for _, step in getattr(estimator, "steps", ()):
        yield from parts(step)
    for _, transformer, *_ in getattr(estimator, "transformers_", ()):
        yield from parts(transformer)


def _texts(estimator: Any) -> frozenset[str | int]:
    """The columns, by name or number, that learned nothing but text."""
    if _is_text(_first(estimator)):
        return frozenset([0, "input"])
    found: set[str | int] = set()
    for part in parts(estimator):
        for _, transformer, columns in getattr(part, "transformers_", ()):
            chosen = [columns] if isinstance(columns, str | int) else columns
            if not isinstance(chosen, Sequence | np.ndarray):
                continue
            first = _first(transformer)
            found.update(
                column
                for index, column in enumerate(chosen)
                if type(column) in (str, int) and _learned_text(first, index)
            )
    return frozenset(found)


def _learned_text(transformer: Any, index: int) -> bool:
    if _is_text(transformer):
        return True
    tables = (getattr(transformer, name, None) for name in _LEARNED)
    learned = [table[index] for table in tables if table is not None and index < len(table)]
    values = [value for column in learned for value in np.atleast_1d(column).tolist()]
    return bool(values) and all(isinstance(value, str) for value in values)


def _datatypes(estimator: Any) -> dict[str, str]:
    """Names of columns to datatypes, where something in the first ColumnTransformer knows."""
    found: dict[str, str] = {}
    for part in parts(estimator):
        for _, transformer, columns in getattr(part, "transformers_", ()):
            chosen = [columns] if isinstance(columns, str) else columns
            if not isinstance(chosen, Sequence | np.ndarray):
                continue
            for index, column in enumerate(chosen):
                if isinstance(column, str):
                    found.setdefault(column, _datatype(_first(transformer), index))
    return found


def _datatype(transformer: Any, index: int) -> str:
    if _is_text(transformer):
        return "BYTES"
    for attribute in _LEARNED:
        learned = getattr(transformer, attribute, None)
        if learned is not None and index < len(learned):
            return datatype_of(np.asarray(learned[index]).dtype)
    return "FP64"


def _first(estimator: Any) -> Any:
    """The part of a pipeline that sees the rows as they came."""
    steps = getattr(estimator, "steps", None)
    return _first(steps[0][1]) if steps else estimator


def _is_text(part: Any) -> bool:
    """Whether it is a vectorizer of texts, which all have this parameter."""
    return hasattr(part, "decode_error")


def _takes_strings(part: Any) -> bool:
    tables = (getattr(part, name, None) for name in _LEARNED)
    learned = (column for table in tables if table is not None for column in table)
    return any(np.asarray(column).dtype.kind in "OUS" for column in learned)


def _selects_by_name(part: Any) -> bool:
    """Whether `part` is a ColumnTransformer that names its columns."""
    for entry in getattr(part, "transformers", ()):
        columns = entry[2] if len(entry) == 3 else ()
        if isinstance(columns, str):
            return True
        if isinstance(columns, Sequence) and any(isinstance(c, str) for c in columns):
            return True
    return False
