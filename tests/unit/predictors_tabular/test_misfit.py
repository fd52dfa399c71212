"""Values that a model cannot take are told by their place and what belongs there."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import orjson
import pandas as pd
import pytest
from sklearn.compose import ColumnTransformer
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import OneHotEncoder, StandardScaler

from predictors.serving.errors import InvalidInputError, MisfitError
from predictors.serving.protocols import v1, v2
from predictors.sklearn.model import SklearnModel


def _loaded(folder: Path, estimator: Any) -> SklearnModel:
    joblib.dump(estimator, folder / "model.joblib")
    model = SklearnModel("m", folder / "model.joblib")
    model.load()
    return model


@pytest.fixture
def texts(tmp_path: Path) -> SklearnModel:
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression())
    return _loaded(tmp_path, pipeline.fit(["red car", "blue car", "red sky"], [0, 1, 0]))


def _columns(colour: Any, size: Any) -> Any:
    parts = [
        ("c", OneHotEncoder(handle_unknown="error"), [colour]),
        ("s", StandardScaler(), [size]),
    ]
    return make_pipeline(ColumnTransformer(parts), LogisticRegression())


@pytest.fixture
def named(tmp_path: Path) -> SklearnModel:
    frame = pd.DataFrame({"colour": ["red", "blue", "red"], "size": [1.0, 2.0, 9.0]})
    return _loaded(tmp_path, _columns("colour", "size").fit(frame, [0, 0, 1]))


@pytest.fixture
def numbered(tmp_path: Path) -> SklearnModel:
    rows = np.array([["red", 1.0], ["blue", 2.0], ["red", 9.0]], dtype=object)
    return _loaded(tmp_path, _columns(0, 1).fit(rows, [0, 0, 1]))


def _refusal(model: SklearnModel, instances: Any) -> str:
    with pytest.raises(InvalidInputError) as caught:
        v1.predict(model, orjson.dumps({"instances": instances}))
    error = caught.value
    return str(error.of_rows("instances") if isinstance(error, MisfitError) else error)


@pytest.mark.parametrize(
    ("instances", "told"),
    [
        ([1, 2], "instances[0]: model m takes text, got 1."),
        (["red car", 3], "instances[1]: model m takes text, got 3."),
        ([None], "instances[0]: model m takes text, got null."),
    ],
)
def test_texts_given_something_else(texts: SklearnModel, instances: Any, told: str) -> None:
    assert _refusal(texts, instances) == told


@pytest.mark.parametrize(
    ("instances", "told"),
    [
        ([{"colour": 3, "size": 1}], "instances[0].colour: model m takes text, got 3."),
        ([{"colour": None, "size": 1}], "instances[0].colour: model m takes text, got null."),
        ([["red", "big"]], "instances[0][1] (size): model m takes a number, got 'big'."),
        ([[1, 2]], "instances[0][0] (colour): model m takes text, got 1."),
        ([{"colour": "red", "size": "big"}], "instances[0].size: model m takes FP64, got BYTES."),
        (
            [{"colour": "red", "size": 1}, {"colour": "red", "size": "big"}],
            "instances[1].size: model m takes a number, got 'big'.",
        ),
        ([{"colour": "red"}], "instances[0]: model m needs size as well; given: colour."),
        (
            [{"colour": "red", "sise": 1}],
            "instances[0].sise: model m has no input sise (did you mean size?). "
            "It takes: colour, size.",
        ),
        # What the framework says better stays as it is.
        (
            [{"colour": "pink", "size": 1}],
            "Model m refused the input: "
            "Found unknown categories ['pink'] in column 0 during transform",
        ),
    ],
)
def test_named_columns(named: SklearnModel, instances: Any, told: str) -> None:
    assert _refusal(named, instances) == told


def test_numbered_columns(numbered: SklearnModel) -> None:
    assert _refusal(numbered, [["red", 1], [2, 2]]) == (
        "instances[1][0]: model m takes text, got 2."
    )
    assert _refusal(numbered, [["red", 1], ["red", "x"]]) == (
        "instances[1][1]: model m takes a number, got 'x'."
    )


def test_v2_is_told_by_inputs(named: SklearnModel) -> None:
    body = {
        "inputs": [
            {"name": "colour", "datatype": "FP64", "shape": [1, 1], "data": [1]},
            {"name": "size", "datatype": "FP64", "shape": [1, 1], "data": [1]},
        ]
    }
    with pytest.raises(MisfitError) as caught:
        v2.infer_json(named, orjson.dumps(body))
    assert str(caught.value) == "inputs[0] (colour), row 0: model m takes text, got 1.0."


def test_v2_is_told_by_row_and_column_of_a_matrix(numbered: SklearnModel) -> None:
    tensor = {"name": "x", "datatype": "BYTES", "shape": [1, 2], "data": ["red", "big"]}
    with pytest.raises(MisfitError) as caught:
        v2.infer_json(numbered, orjson.dumps({"inputs": [tensor]}))
    assert str(caught.value) == (
        "inputs[0] (x), row 0, column 1: model m takes a number, got 'big'."
    )


def test_an_error_of_the_model_itself_is_no_refusal(
    texts: SklearnModel, caplog: pytest.LogCaptureFixture
) -> None:
    """A missing attribute is the client's fault only where a value is to blame."""
    texts.estimator.steps[-1][1].coef_ = None
    del texts.estimator.steps[-1][1].classes_
    with caplog.at_level(logging.CRITICAL), pytest.raises(Exception, match="failed with"):
        v1.predict(texts, b'{"instances": ["red car"]}')
