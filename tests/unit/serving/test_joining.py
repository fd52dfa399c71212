"""Joined and split again, every request has the answer it would have had alone."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from predictors.serving.inference import InferenceRequest, RequestedOutput
from predictors.serving.scheduling.joining import SplitError, join, joinable, rows, split
from predictors.serving.tensors import Array, Tensor

SIZES = st.lists(st.integers(1, 5), min_size=1, max_size=8)
KINDS = st.sampled_from([np.float64, np.float32, np.int64, np.bool_, object])


def _request(array: Array, name: str = "x", **more: object) -> InferenceRequest:
    return InferenceRequest([Tensor(name, array, **more)])  # type: ignore[arg-type]


@given(sizes=SIZES, width=st.integers(0, 3), kind=KINDS, seed=st.integers(0, 9))
def test_split_undoes_join(sizes: list[int], width: int, kind: type, seed: int) -> None:
    random = np.random.default_rng(seed)
    requests = []
    for size in sizes:
        first: Array = random.integers(0, 100, (size, width)).astype(kind)
        second = random.integers(0, 100, (size,)).astype(np.int32)
        requests.append(InferenceRequest([Tensor("a", first), Tensor("b", second)]))
    assert len({joinable(request) for request in requests}) == 1
    parts = split(join(requests), [rows(request) for request in requests])
    assert len(parts) == len(requests)
    for request, part in zip(requests, parts, strict=True):
        for given_, back in zip(request.inputs, part, strict=True):
            assert back.name == given_.name
            assert back.array.dtype == given_.array.dtype
            assert np.array_equal(back.array, given_.array)


@pytest.mark.parametrize(
    "other",
    [
        _request(np.ones((1, 3))),
        _request(np.ones((1, 2), np.float32)),
        _request(np.ones((1, 2)), "z"),
        _request(np.ones((1, 2)), parameters={"content_type": "pd"}),
        InferenceRequest([Tensor("x", np.ones((1, 2)))], [RequestedOutput("y")]),
        InferenceRequest([Tensor("x", np.ones((1, 2)))] * 2),
    ],
)
def test_requests_that_differ_are_not_joined(other: InferenceRequest) -> None:
    assert joinable(other) != joinable(_request(np.ones((4, 2))))


@pytest.mark.parametrize(
    "request_",
    [
        InferenceRequest([]),
        InferenceRequest([], payload={"instances": []}),
        _request(np.array(1.0)),
        _request(np.ones((0, 2))),
        InferenceRequest([Tensor("a", np.ones(2)), Tensor("b", np.ones(3))]),
    ],
)
def test_requests_without_common_rows_stay_alone(request_: InferenceRequest) -> None:
    assert joinable(request_) is None


@pytest.mark.parametrize("array", [np.ones(3), np.array(1.0)])
def test_outputs_that_do_not_follow_the_rows_are_not_split(array: Array) -> None:
    with pytest.raises(SplitError, match="output y"):
        split([Tensor("y", array)], [1, 1])
