"""Whatever JSON a client sends, the answer is a prediction or a 400 with a reason."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import orjson
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from predictors.serving.errors import InvalidInputError
from predictors.serving.protocols import v1, v2
from predictors.serving.tensors import DATATYPES
from predictors.sklearn.model import SklearnModel

# What a model makes of 1e308 is its own arithmetic's warning.
pytestmark = pytest.mark.filterwarnings("ignore::RuntimeWarning")

RELAXED = settings(
    max_examples=300,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
NUMBERS = st.floats(allow_nan=False, allow_infinity=False)
TEXT = st.text(max_size=3)
INTEGERS = st.integers(-(2**63), 2**64 - 1)
LEAVES = st.none() | st.booleans() | NUMBERS | INTEGERS | TEXT
ANY = st.recursive(
    LEAVES,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=3),
    max_leaves=10,
)
ROWS = st.lists(st.lists(LEAVES, min_size=3, max_size=5), max_size=4)
TENSOR = st.fixed_dictionaries(
    {
        "name": st.just("x") | ANY,
        "datatype": st.sampled_from(list(DATATYPES)) | ANY,
        "shape": st.just([1, 4]) | st.lists(st.integers(0, 5), max_size=3) | ANY,
        "data": st.lists(LEAVES, min_size=4, max_size=4) | ANY,
    }
)


@pytest.fixture(scope="module")
def model(iris_folder: Path) -> SklearnModel:
    loaded = SklearnModel("iris", iris_folder / "model.joblib")
    loaded.load()
    return loaded


@RELAXED
@given(body=st.fixed_dictionaries({"instances": ANY | ROWS}))
def test_v1(model: SklearnModel, body: Any) -> None:
    try:
        answer = orjson.loads(v1.predict(model, orjson.dumps(body)).body)
    except InvalidInputError:
        return
    assert len(answer["predictions"]) == len(body["instances"])


@RELAXED
@given(inputs=st.lists(TENSOR, max_size=3) | ANY, outputs=st.none() | ANY)
def test_v2(model: SklearnModel, inputs: Any, outputs: Any) -> None:
    try:
        answer = v2.infer_json(model, orjson.dumps({"inputs": inputs, "outputs": outputs}))
    except InvalidInputError:
        return
    assert orjson.loads(answer.body)["outputs"]
