from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from predictors.serving.errors import InvalidInputError
from predictors.serving.protocols.v1 import rows_to_tensors


def test_rows_are_one_tensor() -> None:
    [tensor] = rows_to_tensors([[1, 2.5], [3, 4]], "instances")
    assert tensor.array.tolist() == [[1.0, 2.5], [3.0, 4.0]]


def test_null_among_numbers_is_nan() -> None:
    [tensor] = rows_to_tensors([[1, None]], "instances")
    assert tensor.array.dtype == np.float64
    assert np.isnan(tensor.array[0, 1])


def test_numbers_beside_strings_stay_numbers() -> None:
    [tensor] = rows_to_tensors([["red", 1.5], ["blue", 2]], "instances")
    assert tensor.array.tolist() == [["red", 1.5], ["blue", 2]]


def test_objects_are_columns() -> None:
    columns = rows_to_tensors([{"a": 1, "b": "x"}, {"b": "y", "a": 2}], "instances")
    assert {column.name: column.array.tolist() for column in columns} == {
        "a": [1, 2],
        "b": ["x", "y"],
    }


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (None, 'The body must have "instances" (or "inputs"), a list of rows.'),
        ("abc", 'The body must have "instances" (or "inputs"), a list of rows.'),
        ([], "instances is empty; at least one row is expected."),
        ([[1, 2], [3]], "instances[1] has 1 values, instances[0] has 2."),
        ([[1, 2], 3], "instances[1] is not of the same kind as instances[0]."),
        ([[[1], [2, 3]]], "instances is ragged: its inner lists differ in length."),
        (
            [[{"a": 1}]],
            'instances holds an object among its values; only {"b64": "..."} is read there.',
        ),
        ([{"a": 1}, {"b": 1}], "instances[1] and instances[0] differ in keys: a, b."),
        ([{"a": 1}, [1]], "instances[1] is not of the same kind as instances[0]."),
        ([{}], "instances[0] is an object without keys."),
    ],
)
def test_refused_with_the_first_row_that_does_not_fit(rows: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        rows_to_tensors(rows, "instances")
    assert str(refusal.value) == reason
