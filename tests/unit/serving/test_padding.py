"""Requests filled up to one length and cut back: each has the answer it would have had alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.serving.inference import InferenceRequest
from predictors.serving.scheduling.joining import cut_back, join, joinable, rows, split
from predictors.serving.scheduling.padding import Rules
from predictors.serving.tensors import Array, Tensor

RULES: Rules = {"tokens": (1, 7), "mask": (1, 0)}
SIZES = st.lists(st.tuples(st.integers(1, 3), st.integers(5, 8)), min_size=1, max_size=5)


def _request(count: int, length: int, seed: int) -> InferenceRequest:
    random = np.random.default_rng(seed)
    tokens: Array = random.integers(10, 99, (count, length))
    mask: Array = np.ones((count, length), np.int32)
    return InferenceRequest([Tensor("tokens", tokens), Tensor("mask", mask)])


@given(sizes=SIZES)
def test_cutting_back_undoes_filling(sizes: list[tuple[int, int]]) -> None:
    requests = [_request(count, length, seed) for seed, (count, length) in enumerate(sizes)]
    assert len({joinable(request, RULES) for request in requests}) == 1
    joined = join(requests, RULES)
    tokens, mask = joined[0].array, joined[1].array
    assert tokens.shape == mask.shape
    assert tokens.shape[1] == max(length for _, length in sizes)
    assert (tokens[mask == 0] == 7).all()
    parts = split(joined, [rows(request) for request in requests])
    axes = {"tokens": 1, "mask": 1}
    for request, part in zip(requests, cut_back(parts, requests, RULES, axes), strict=True):
        for given_, back in zip(request.inputs, part, strict=True):
            np.testing.assert_array_equal(back.array, given_.array)


def test_lengths_of_other_powers_of_two_are_not_joined() -> None:
    keys = {joinable(_request(1, length, 0), RULES) for length in (1, 2, 3, 4, 5, 8, 9)}
    assert len(keys) == 5
    assert joinable(_request(1, 3, 0)) != joinable(_request(1, 4, 0))


def test_an_output_of_another_length_is_left_alone() -> None:
    requests = [_request(1, 5, 0), _request(1, 8, 1)]
    pooled = Tensor("pooled", np.zeros((2, 3)))
    parts = split([pooled], [1, 1])
    cut = cut_back(parts, requests, RULES, {"pooled": 1})
    assert [part[0].array.shape for part in cut] == [(1, 3), (1, 3)]


@pytest.mark.parametrize("name", ["tokens", "instances"])
def test_an_only_input_goes_by_any_name(name: str) -> None:
    one, other = (
        InferenceRequest([Tensor(name, np.ones((1, length), np.int64))]) for length in (3, 4)
    )
    rules: Rules = {"tokens": (1, 0)}
    assert joinable(one, rules) == joinable(other, rules)
    [joined] = join([one, other], rules)
    np.testing.assert_array_equal(joined.array, [[1, 1, 1, 0], [1, 1, 1, 1]])
