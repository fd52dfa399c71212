"""V1 rows for a model whose inputs are columns."""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from predictors.serving.errors import InvalidInputError
from predictors.serving.model import Model
from predictors.serving.protocols import v1
from predictors.serving.tensors import Tensor, TensorSpec


class Houses(Model):
    """Takes three columns."""

    inputs = tuple(TensorSpec(name, "FP64", (-1, 1)) for name in ("area", "rooms", "age"))

    def load(self) -> None:
        """Nothing to load."""

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        return [Tensor("price", inputs[0].array)]


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b'{"instances": [[1, 2]]}', "instances has 2."),
        (b'{"inputs": [[1, 2, 3, 4]]}', "inputs has 4."),
        (b'{"instances": [1, 2, 3]}', "instances has single values."),
        (b'{"instances": [[[1], [2]]]}', r"instances has rows of shape \(2, 1\)."),
    ],
)
def test_a_row_of_another_width_is_told_with_the_columns(body: bytes, said: str) -> None:
    begins = r"Model houses expects 3 values per row \(area, rooms, age\), "
    with pytest.raises(InvalidInputError, match=begins + said):
        v1.predict(Houses("houses"), body)


def test_a_row_of_the_right_width_is_taken() -> None:
    assert b"predictions" in v1.predict(Houses("houses"), b'{"instances": [[1, 2, 3]]}').body
