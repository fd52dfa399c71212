"""Columns that were pandas categories when a booster was trained: their values as its codes."""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass
from typing import Any, Final, Self

import numpy as np

from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Array

__all__ = ["Categories"]

_log = logging.getLogger(__name__)

_INFOS: Final = re.compile(r"^feature_infos=(.*)$", re.MULTILINE)


@dataclass(frozen=True)
class Categories:
    """Of each categorical column, by its index, the code of every value."""

    codes: dict[int, dict[Any, float]]

    @classmethod
    def of(cls, booster: Any) -> Self | None:
        """Those of a booster, None where it has none or they cannot be told apart."""
        listed = booster.pandas_categorical
        if not listed:
            return None
        found = _INFOS.search(booster.model_to_string(num_iteration=1))
        infos = found[1].split() if found else []
        # A numeric column's is its range in brackets, one of no use "none".
        columns = [i for i, info in enumerate(infos) if info != "none" and not info.startswith("[")]
        if len(columns) != len(listed):
            _log.warning("the model's categories have no columns of their own: send codes instead")
            return None
        tables = ({value: float(code) for code, value in enumerate(values)} for values in listed)
        return cls(dict(zip(columns, tables, strict=True)))

    def coded(self, model: str, rows: Array) -> Array:
        """The rows as numbers; a value unknown in training is missing, as in LightGBM itself.

        Raises `InvalidInputError` where another column holds no number.
        """
        numbers = np.empty(rows.shape, dtype=np.float64)
        for index in range(rows.shape[1]):
            column = rows[:, index]
            table = self.codes.get(index)
            if table is not None:
                numbers[:, index] = [table.get(value, np.nan) for value in column.tolist()]
                continue
            try:
                numbers[:, index] = column.astype(np.float64)
            except (ValueError, TypeError) as error:
                raise InvalidInputError(
                    f"Model {model} expects numbers in column {index}: {error}."
                ) from error
        return numbers
