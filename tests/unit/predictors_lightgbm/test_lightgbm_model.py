from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import lightgbm
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_iris

from predictors.lightgbm.rehearsal import rehearse
from predictors.lightgbm.runtime import RUNTIME
from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.tensors import Tensor

ROWS, CLASSES = load_iris(return_X_y=True)
QUIET = {"verbose": -1, "num_threads": 1, "min_data_in_leaf": 1}


def served(folder: Path, booster: lightgbm.Booster) -> Any:
    booster.save_model(folder / "model.txt")
    model = RUNTIME.model("m", folder)
    model.load()
    return model


def ask(model: Any, rows: Any, *outputs: str) -> Any:
    return model.predict([Tensor("x", rows)], outputs)[0].array


@pytest.fixture(scope="module")
def multiclass(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, lightgbm.Booster]:
    settings = {**QUIET, "objective": "multiclass", "num_class": 3}
    own = lightgbm.train(settings, lightgbm.Dataset(ROWS, CLASSES), 4)
    return served(tmp_path_factory.mktemp("model"), own), own


@settings(deadline=None, max_examples=50)
@given(
    arrays(
        st.sampled_from([np.float64, np.float32, np.int64]),
        st.tuples(st.integers(1, 6), st.just(4)),
        elements=st.integers(-50, 50),
    )
)
def test_random_rows(multiclass: tuple[Any, lightgbm.Booster], rows: Any) -> None:
    model, own = multiclass
    np.testing.assert_array_equal(ask(model, rows), own.predict(rows))
    raw = ask(model, rows, "raw_score")
    np.testing.assert_array_equal(raw, own.predict(rows, raw_score=True))


def test_the_signature(multiclass: tuple[Any, lightgbm.Booster]) -> None:
    model, own = multiclass
    assert model.inputs[0].shape == (-1, 4)
    assert model.inputs[0].parameters == {"feature_names": own.feature_name()}
    assert [(spec.name, spec.shape) for spec in model.outputs] == [
        ("predict", (-1, 3)),
        ("raw_score", (-1, 3)),
    ]


def test_pandas_categories_take_their_values(tmp_path: Path) -> None:
    towns = np.array(["Bern", "Graz", "Ulm"])[np.arange(60) % 3]
    frame = pd.DataFrame({"size": np.arange(60.0) % 7, "town": pd.Categorical(towns)})
    wanted = (towns == "Ulm") * 10.0 + frame["size"]
    own = lightgbm.train({**QUIET, "min_data_per_group": 1}, lightgbm.Dataset(frame, wanted), 9)
    model = served(tmp_path, own)
    columns = [Tensor("town", towns.astype(object)), Tensor("size", frame["size"].to_numpy())]
    [answer] = model.predict(columns, ())
    np.testing.assert_array_equal(answer.array, own.predict(frame))
    odd = ask(model, np.array([[3.0, "Rome"]], dtype=object))
    np.testing.assert_array_equal(odd, own.predict(np.array([[3.0, np.nan]])))
    with pytest.raises(InvalidInputError, match="expects numbers in column 0"):
        ask(model, np.array([["big", "Ulm"]], dtype=object))


def test_a_pickled_wrapper_answers_labels(tmp_path: Path) -> None:
    wrapper = lightgbm.LGBMClassifier(n_estimators=3, verbose=-1, n_jobs=1).fit(ROWS, CLASSES)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(wrapper))
    model = RUNTIME.model("m", tmp_path)
    model.load()
    np.testing.assert_array_equal(ask(model, ROWS), wrapper.predict(ROWS))
    np.testing.assert_array_equal(ask(model, ROWS, "predict_proba"), wrapper.predict_proba(ROWS))


def test_rows_that_do_not_fit(multiclass: tuple[Any, lightgbm.Booster]) -> None:
    with pytest.raises(InvalidInputError, match="expects 4 values per row"):
        ask(multiclass[0], np.ones((2, 5)))
    with pytest.raises(
        InvalidInputError, match=r"has no output proba\. It has: predict, raw_score"
    ):
        ask(multiclass[0], ROWS, "proba")


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    (tmp_path / "model.txt").write_text("no model")
    with pytest.raises(ModelLoadError, match=r"model\.txt cannot be loaded by LightGBM"):
        RUNTIME.model("m", tmp_path).load()


def test_the_rehearsal_passes() -> None:
    rehearse()
