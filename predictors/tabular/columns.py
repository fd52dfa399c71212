"""What a fitted model expects as its rows, and requests brought into that form."""

from __future__ import annotations

import importlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.tensors import Array, Tensor, TensorSpec

__all__ = ["Columns", "frame_of_pandas"]


def frame_of_pandas() -> Any:
    """The class DataFrame. Raises `ModelLoadError` if pandas is missing."""
    try:
        return importlib.import_module("pandas").DataFrame
    except ImportError as error:
        raise ModelLoadError(
            "the model selects columns by name, which needs pandas; install pandas."
        ) from error


@dataclass(frozen=True)
class Columns:
    """Number and names of the columns; None where the model does not know them.

    `frame` makes a data frame of columns for models that select columns by name; `datatypes` are
    the protocol's names of theirs. `strings` tells that a matrix may hold strings, `text` that a
    row is one string; `texts` are the columns, by name or number, that learned nothing but text.
    """

    count: int | None
    names: tuple[str, ...] | None = None
    frame: Any = None
    datatypes: Mapping[str, str] = field(default_factory=dict)
    strings: bool = False
    text: bool = False
    texts: frozenset[str | int] = frozenset()

    def specs(self) -> tuple[TensorSpec, ...]:
        """The signature: one matrix, or one column each when columns are told by name."""
        if self.text:
            return (TensorSpec("input", "BYTES", (-1, 1)),)
        if self.frame is not None and self.names is not None:
            kinds = self.datatypes
            return tuple(TensorSpec(n, kinds.get(n, "FP64"), (-1, 1)) for n in self.names)
        told: dict[str, Any] = {}
        if self.names:
            told["feature_names"] = list(self.names)
        if self.strings:
            told["mixed"] = True
        width = self.count if self.count is not None else -1
        return (TensorSpec("input", "FP64", (-1, width), told or None),)

    def rows(self, model: str, inputs: Sequence[Tensor]) -> Any:
        """The rows to ask `model` about: a matrix, or a data frame. Raises `InvalidInputError`."""
        if len(inputs) == 1:
            array = inputs[0].array
            if array.ndim == 2 and array.shape[1] == self.count and self.frame is None:
                return array
            if self.text and array.size == len(array):
                return array.reshape(-1)
            if array.ndim == 2 or self.count is None:
                return self._framed(self._checked(model, array))
            if not (self.names and inputs[0].name in self.names):
                raise InvalidInputError(
                    f"Model {model} expects rows of {self.count} values"
                    f"{self._listed()}, one list per row; got {array.ndim} dimension(s)."
                )
        return self._joined(model, inputs)

    def numbers(self, model: str, inputs: Sequence[Tensor]) -> Array:
        """The rows as a matrix of float32 or float64. Raises `InvalidInputError`."""
        rows: Array = self.rows(model, inputs)
        if rows.dtype.char in "df":
            return rows
        if rows.dtype.kind not in "biufO":
            raise InvalidInputError(f"Model {model} expects numbers, got {rows.dtype} values.")
        try:
            return rows.astype(np.float64)
        except (ValueError, TypeError) as error:
            refused = self.misfit(model, inputs, error)
            raise refused or InvalidInputError(
                f"Model {model} expects numbers: {error}."
            ) from error

    def misfit(
        self, model: str, inputs: Sequence[Tensor], error: Exception
    ) -> InvalidInputError | None:
        """The value that is to blame for an error of the framework, if one plainly is."""
        from predictors.tabular.misfit import misfit  # only a refusal needs it

        return misfit(model, inputs, self.texts, self.names or (), error)

    def _checked(self, model: str, array: Array) -> Array:
        if self.count is not None and (array.ndim != 2 or array.shape[1] != self.count):
            raise InvalidInputError(
                f"Model {model} expects {self.count} values per row{self._listed()}, "
                f"got {array.shape[-1]}."
            )
        return array

    def _joined(self, model: str, inputs: Sequence[Tensor]) -> Any:
        """Columns, in the order the model was fitted with."""
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
        return self._checked(model, _matrix(columns))

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


def _matrix(columns: Iterable[Array]) -> Array:
    parts = list(columns)
    dtype = object if {column.dtype.kind for column in parts} & set("OUS") else None
    return np.array(parts, dtype=dtype).T


def _column(name: str, array: Array) -> Array:
    if array.ndim == 2 and array.shape[1] == 1:
        return array[:, 0]
    if array.ndim != 1:
        raise InvalidInputError(f"Column {name} must have one value per row.")
    return array
