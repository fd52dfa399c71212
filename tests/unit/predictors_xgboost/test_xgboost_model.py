from __future__ import annotations

import pickle
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import xgboost
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.datasets import load_iris

from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.tensors import Tensor
from predictors.xgboost.model import BoosterModel
from predictors.xgboost.rehearsal import rehearse
from predictors.xgboost.runtime import RUNTIME

ROWS, CLASSES = load_iris(return_X_y=True)
OBJECTIVES = {
    "multi:softprob": CLASSES,
    "multi:softmax": CLASSES,
    "binary:logistic": CLASSES > 0,
    "reg:squarederror": ROWS[:, 0],
    "rank:pairwise": CLASSES,
}


def trained(objective: str, **more: Any) -> xgboost.Booster:
    parameters = {"objective": objective, "nthread": 1, **more}
    if objective.startswith("multi"):
        parameters["num_class"] = 3
    data = xgboost.DMatrix(ROWS, OBJECTIVES[objective], nthread=1)
    return xgboost.train(parameters, data, 4)


def served(folder: Path, booster: xgboost.Booster, name: str = "model.json") -> Any:
    booster.save_model(folder / name)
    model = RUNTIME.model("m", folder)
    model.load()
    return model


def ask(model: Any, rows: Any, *outputs: str) -> Any:
    return model.predict([Tensor("x", rows)], outputs)[0].array


@pytest.mark.parametrize("objective", OBJECTIVES)
@pytest.mark.parametrize("booster", ["gbtree", "gblinear"])
def test_objectives_answer_as_the_booster(tmp_path: Path, objective: str, booster: str) -> None:
    own = trained(objective, booster=booster)
    model = served(tmp_path, own)
    matrix = xgboost.DMatrix(ROWS)
    np.testing.assert_array_equal(ask(model, ROWS), own.predict(matrix))
    np.testing.assert_array_equal(
        ask(model, ROWS, "margin"), own.predict(matrix, output_margin=True)
    )
    width = ask(model, ROWS).shape[1] if ask(model, ROWS).ndim == 2 else 1
    assert model.outputs[0].shape == (-1, width)


@pytest.fixture(scope="module")
def softprob(tmp_path_factory: pytest.TempPathFactory) -> tuple[Any, xgboost.Booster]:
    own = trained("multi:softprob")
    return served(tmp_path_factory.mktemp("model"), own), own


@settings(deadline=None, max_examples=50)
@given(
    arrays(
        st.sampled_from([np.float64, np.float32, np.int64]),
        st.tuples(st.integers(1, 6), st.just(4)),
        elements=st.integers(-50, 50),
    )
)
def test_random_rows(softprob: tuple[Any, xgboost.Booster], rows: Any) -> None:
    model, own = softprob
    np.testing.assert_array_equal(ask(model, rows), own.predict(xgboost.DMatrix(rows)))


@pytest.mark.filterwarnings("ignore:.*UBJSON format as default")
@pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
@pytest.mark.parametrize("name", ["model.json", "model.ubj", "model.bst"])
def test_native_files(tmp_path: Path, name: str) -> None:
    own = trained("binary:logistic")
    model = served(tmp_path, own, name)
    assert isinstance(model, BoosterModel)
    np.testing.assert_array_equal(ask(model, ROWS), own.predict(xgboost.DMatrix(ROWS)))


def test_missing_values_are_the_boosters(softprob: tuple[Any, xgboost.Booster]) -> None:
    model, own = softprob
    rows = np.array([[np.nan, 3.0, np.nan, 0.2]])
    np.testing.assert_array_equal(ask(model, rows), own.predict(xgboost.DMatrix(rows)))


def test_named_features_come_in_any_order(tmp_path: Path) -> None:
    own = trained("reg:squarederror")
    own.feature_names = ["a", "b", "c", "d"]
    model = served(tmp_path, own)
    columns = [Tensor(name, ROWS[:, "abcd".index(name)]) for name in "dbca"]
    [answer] = model.predict(columns, ())
    np.testing.assert_array_equal(answer.array, own.inplace_predict(ROWS, validate_features=False))
    assert model.inputs[0].parameters == {"feature_names": ["a", "b", "c", "d"]}
    with pytest.raises(InvalidInputError, match="missing: a; unknown: z"):
        model.predict([*columns[:3], Tensor("z", ROWS[:, 0])], ())


def test_a_pickled_wrapper_answers_labels(tmp_path: Path) -> None:
    wrapper = xgboost.XGBClassifier(n_estimators=3, n_jobs=1).fit(ROWS, CLASSES)
    (tmp_path / "model.pkl").write_bytes(pickle.dumps(wrapper))
    model = RUNTIME.model("m", tmp_path)
    model.load()
    np.testing.assert_array_equal(ask(model, ROWS), wrapper.predict(ROWS))
    np.testing.assert_array_equal(ask(model, ROWS, "predict_proba"), wrapper.predict_proba(ROWS))


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        (np.ones((1, 3)), "expects 4 values per row, got 3"),
        (np.array([["a", 1, 2, 3]], dtype=object), r"takes a number, got .a"),
        (np.ones(4), r"got 1 dimension\(s\)"),
    ],
)
def test_rows_that_do_not_fit(
    softprob: tuple[Any, xgboost.Booster], rows: Any, reason: str
) -> None:
    with pytest.raises(InvalidInputError, match=reason):
        ask(softprob[0], rows)


@pytest.mark.parametrize("content", [b"", b"{}", b"no model", b'{"learner": 3}'])
def test_a_file_that_is_no_model(tmp_path: Path, content: bytes) -> None:
    (tmp_path / "model.json").write_bytes(content)
    with pytest.raises(
        ModelLoadError, match=r"model\.json cannot be loaded by XGBoost \S+: [A-Zt]"
    ):
        RUNTIME.model("m", tmp_path).load()


def test_the_rehearsal_passes() -> None:
    rehearse()
