"""Which value a framework has stumbled over, and what was expected in its place.

Asked only after a refusal, whose own words are numpy's or scikit-learn's: they name neither row nor
column. A value is blamed if its column learned only text, and it is none; or if it is text that is
no number, where no text was learned and the framework says that it wanted a number.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from typing import Final, NamedTuple

from predictors.serving.errors import MisfitError
from predictors.serving.tensors import Array, Tensor

__all__ = ["misfit"]

_SHOWN: Final = 40
_BARE: Final = ("instances", "inputs")
"""What V1 rows are called."""
_WANTS_NUMBERS: Final = ("to float", "to numeric", "must be a number", "must be real")


class _Column(NamedTuple):
    """The values of one column, and its place among the inputs."""

    values: Array
    key: str | int
    where: str
    name: str
    wide: bool = False
    """Whether there are others beside it in the same tensor."""


def misfit(
    model: str,
    inputs: Sequence[Tensor],
    texts: frozenset[str | int],
    names: Sequence[str],
    error: Exception,
) -> MisfitError | None:
    """The error that names the value; None if no value is plainly wrong.

    `texts` are the columns, by name or number, that take text only, `names` those of all columns.
    """
    numbers = any(words in str(error) for words in _WANTS_NUMBERS)
    nothing: MisfitError | None = None
    for column in _columns(inputs, names):
        text = column.key in texts or column.name in texts
        if not text and not numbers:
            continue
        for row, value in enumerate(column.values.tolist()):
            if isinstance(value, str | bytes) if text else _number(value):
                continue
            found = _error(model, column, row, value, "text" if text else "a number")
            if not _null(value):
                return found
            nothing = nothing or (found if text else None)
    return nothing


def _columns(inputs: Sequence[Tensor], names: Sequence[str]) -> Iterator[_Column]:
    if len(inputs) > 1 or inputs[0].array.ndim != 2 or inputs[0].name in names:
        for number, tensor in enumerate(inputs):
            where = f"inputs[{number}] ({tensor.name})"
            yield _Column(tensor.array.reshape(-1), tensor.name, where, tensor.name)
        return
    (rows,) = inputs
    where = rows.name if rows.name in _BARE else f"inputs[0] ({rows.name})"
    for number in range(rows.array.shape[1]):
        name = names[number] if number < len(names) else ""
        yield _Column(rows.array[:, number], number, where, name, rows.array.shape[1] > 1)


def _error(model: str, column: _Column, row: int, value: object, wanted: str) -> MisfitError:
    told = "null" if _null(value) else f"{value!r}"[:_SHOWN]
    what = f"model {model} takes {wanted}, got {told}."
    if isinstance(column.key, str):
        return MisfitError(f"{column.where}, row {row}: {what}", what, row, column.key)
    named = f" ({column.name})" if column.name else ""
    if column.where in _BARE:
        place = f"[{row}][{column.key}]" if column.wide else f"[{row}]"
    else:
        place = f", row {row}, column {column.key}" if column.wide else f", row {row}"
    return MisfitError(f"{column.where}{place}{named}: {what}", what)


def _number(value: object) -> bool:
    try:
        float(value)  # type: ignore[arg-type]
    except (TypeError, ValueError):
        return False
    return True


def _null(value: object) -> bool:
    return value is None or (isinstance(value, float) and math.isnan(value))
