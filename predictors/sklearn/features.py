"""What a fitted estimator expects as input, and requests brought into that form."""

from __future__ import annotations

import importlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.tensors import Array, Tensor, TensorSpec

__all__ = ["Features"]


@dataclass(frozen=True)
class Features:
    """Number and names of the columns; None where the estimator does not know them.

    `frame` makes a data frame of columns for estimators that select columns by name.
    """

    count: int | None
    names: tuple[str, ...] | None
    frame: Any = None

    @classmethod
    def of(cls, estimator: Any) -> Features:
        """Read them from a fitted estimator. Raises `ModelLoadError` if pandas is missing."""
        count = getattr(estimator, "n_features_in_", None)
        names = getattr(estimator, "feature_names_in_", None)
        frame = None
        if names is not None and any(_selects_by_name(part) for part in _parts(estimator)):
            try:
                frame = importlib.import_module("pandas").DataFrame
            except ImportError as error:
                raise ModelLoadError(
                    "the model selects columns by name, which needs pandas; install pandas."
                ) from error
        return cls(
            int(count) if count is not None else None,
            tuple(str(name) for name in names) if names is not None else None,
            frame,
        )

    def specs(self) -> tuple[TensorSpec, ...]:
        """The signature: one matrix, or one column each when columns are told by name."""
        if self.frame is not None and self.names is not None:
            return tuple(TensorSpec(name, "BYTES", (-1, 1)) for name in self.names)
        return (TensorSpec("input", "FP64", (-1, self.count if self.count is not None else -1)),)

    def rows(self, model: str, inputs: Sequence[Tensor]) -> Any:
        """The rows to ask `model` about: a matrix, or a data frame. Raises `InvalidInputError`."""
        if len(inputs) == 1:
            array = inputs[0].array
            if array.ndim == 2 and array.shape[1] == self.count and self.frame is None:
                return array
            if array.ndim == 2 or self.count is None:
                return self._framed(self._checked(model, array))
            if not (self.names and inputs[0].name in self.names):
                raise InvalidInputError(
                    f"Model {model} expects rows of {self.count} values"
                    f"{self._listed()}, one list per row; got {array.ndim} dimension(s)."
                )
        return self._joined(model, inputs)

    def _checked(self, model: str, array: Array) -> Array:
        if self.count is not None and (array.ndim != 2 or array.shape[1] != self.count):
            raise InvalidInputError(
                f"Model {model} expects {self.count} values per row{self._listed()}, "
                f"got {array.shape[-1]}."
            )
        return array

    def _joined(self, model: str, inputs: Sequence[Tensor]) -> Any:
        """Columns, in the order the estimator was fitted with."""
        given = {tensor.name: tensor.array for tensor in inputs}
        names = self.names or tuple(given)
        missing = [name for name in names if name not in given]
        surplus = [name for name in given if name not in names]
        if missing or surplus or len(given) != len(inputs):
            told = [f"missing: {', '.join(missing)}"] if missing else []
            told += [f"unknown: {', '.join(surplus)}"] if surplus else []
            raise InvalidInputError(
                f"The columns do not fit model {model}; {'; '.join(told) or 'one comes twice'}."
            )
        columns = [_column(name, given[name]) for name in names]
        sizes = {len(column) for column in columns}
        if len(sizes) > 1:
            raise InvalidInputError(f"The columns differ in length: {sorted(sizes)}.")
        if self.frame is not None:
            return self.frame(dict(zip(names, columns, strict=True)))
        kinds = {column.dtype.kind for column in columns}
        dtype = object if kinds & set("OUS") else None
        return self._checked(model, np.array(columns, dtype=dtype).T)

    def _framed(self, array: Array) -> Any:
        if self.frame is None:
            return array
        frame = self.frame(array, columns=list(self.names or ()))
        return frame.infer_objects() if array.dtype.kind == "O" else frame

    def _listed(self) -> str:
        if not self.names:
            return ""
        shown = ", ".join(self.names[:8])
        return f" ({shown}{', ...' if len(self.names) > 8 else ''})"


def _column(name: str, array: Array) -> Array:
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        raise InvalidInputError(f"Column {name} must have one value per row.")
    return array


def _parts(estimator: Any) -> Iterator[Any]:
    """The estimator and, for pipelines, the steps in it."""
    yield estimator
    for _, step in getattr(estimator, "steps", ()):
        yield from _parts(step)


def _selects_by_name(part: Any) -> bool:
    """Whether `part` is a ColumnTransformer that names its columns."""
    for entry in getattr(part, "transformers", ()):
        columns = entry[2] if len(entry) == 3 else ()
        if isinstance(columns, str):
            return True
        if isinstance(columns, Sequence) and any(isinstance(c, str) for c in columns):
            return True
    return False
