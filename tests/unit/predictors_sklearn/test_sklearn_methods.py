from __future__ import annotations

from pathlib import Path
from typing import Any

import joblib
import numpy as np
import pandas as pd
import pytest
import skops.io
from sklearn.cluster import KMeans
from sklearn.compose import ColumnTransformer
from sklearn.datasets import load_iris
from sklearn.decomposition import PCA
from sklearn.feature_extraction.text import TfidfVectorizer
from sklearn.linear_model import LogisticRegression
from sklearn.multioutput import MultiOutputClassifier
from sklearn.naive_bayes import CategoricalNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, OneHotEncoder, StandardScaler

from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.policy import Mode, Policy
from predictors.serving.tensors import Tensor
from predictors.sklearn.model import SklearnModel

ROWS, CLASSES = load_iris(return_X_y=True)


def loaded(folder: Path, estimator: Any, file: str = "model.joblib") -> SklearnModel:
    path = folder / file
    if path.suffix == ".skops":
        skops.io.dump(estimator, path)
    else:
        joblib.dump(estimator, path)
    model = SklearnModel("m", path)
    model.load()
    return model


def ask(model: SklearnModel, rows: Any, *outputs: str) -> list[Any]:
    return [t.array for t in model.predict([Tensor("input", rows)], outputs)]


@pytest.mark.parametrize(
    ("estimator", "methods"),
    [
        (LogisticRegression(max_iter=500), ["predict_proba", "predict_log_proba"]),
        (make_pipeline(StandardScaler(), LogisticRegression()), ["decision_function", "predict"]),
        (KMeans(3, n_init=1, random_state=0), ["predict", "transform"]),
        (PCA(2), ["transform", "score_samples"]),
    ],
)
def test_each_method_is_an_output(tmp_path: Path, estimator: Any, methods: list[str]) -> None:
    estimator.fit(ROWS, CLASSES)
    model = loaded(tmp_path, estimator)
    for method, answer in zip(methods, ask(model, ROWS, *methods), strict=True):
        np.testing.assert_array_equal(answer, getattr(estimator, method)(ROWS))
    assert model.batchable
    assert set(methods) <= {spec.name for spec in model.outputs}


def test_what_only_transforms_answers_that(tmp_path: Path) -> None:
    scaler = StandardScaler().fit(ROWS)
    [answer] = ask(loaded(tmp_path, scaler), ROWS)
    np.testing.assert_array_equal(answer, scaler.transform(ROWS))


def frame() -> Any:
    return pd.DataFrame({"age": [20.0, 40.0, 61.0, 33.0], "town": ["Bern", "Graz", "Bern", "Ulm"]})


def mixed() -> Any:
    columns = ColumnTransformer(
        [
            ("town", OneHotEncoder(handle_unknown="ignore"), ["town"]),
            ("age", StandardScaler(), ["age"]),
        ]
    )
    return make_pipeline(columns, LogisticRegression()).fit(frame(), [0, 1, 1, 0])


def test_named_columns_of_mixed_types(tmp_path: Path) -> None:
    pipeline = mixed()
    model = loaded(tmp_path, pipeline)
    assert [(spec.name, spec.datatype) for spec in model.inputs] == [
        ("age", "FP64"),
        ("town", "BYTES"),
    ]
    columns = [
        Tensor("town", np.array([["Ulm"], ["Graz"]], dtype=object)),
        Tensor("age", np.array([[30.0], [50.0]])),
    ]
    [answer] = model.predict(columns, ["predict_proba"])
    wanted = pipeline.predict_proba(pd.DataFrame({"age": [30.0, 50.0], "town": ["Ulm", "Graz"]}))
    np.testing.assert_array_equal(answer.array, wanted)


def test_texts(tmp_path: Path) -> None:
    pipeline = make_pipeline(TfidfVectorizer(), LogisticRegression())
    pipeline.fit(["good day", "bad day", "good", "bad"], [1, 0, 1, 0])
    model = loaded(tmp_path, pipeline)
    assert model.inputs[0].datatype == "BYTES"
    [answer] = ask(model, np.array([["good"], ["bad bad"]], dtype=object))
    assert answer.tolist() == [1, 0]


def test_outputs_with_different_classes(tmp_path: Path) -> None:
    targets = np.column_stack([CLASSES, CLASSES > 0])
    estimator = MultiOutputClassifier(LogisticRegression(max_iter=500)).fit(ROWS, targets)
    [answer] = ask(loaded(tmp_path, estimator), ROWS[:2], "predict_proba")
    assert answer.shape == (2, 2, 3)
    assert np.isnan(answer[:, 1, 2]).all()


def test_skops_is_loaded_without_running_code(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    estimator = LogisticRegression(max_iter=500).fit(ROWS, CLASSES)
    skops.io.dump(estimator, tmp_path / "model.skops")
    model = SklearnModel("m", tmp_path / "model.skops", policy=Policy(Mode.DENY))
    model.load()
    np.testing.assert_array_equal(ask(model, ROWS)[0], estimator.predict(ROWS))
    assert not caplog.records


def test_skops_with_code_of_others_asks_the_policy(tmp_path: Path) -> None:
    odd = FunctionTransformer(pd.DataFrame)
    skops.io.dump(odd, tmp_path / "model.skops")
    model = SklearnModel("m", tmp_path / "model.skops", policy=Policy(Mode.DENY))
    with pytest.raises(ModelLoadError, match=r"skops file with the types .*pandas"):
        model.load()


def test_a_pickle_is_refused_before_it_runs(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").write_bytes(b"cbuiltins\nexit\n(I3\ntR.")
    model = SklearnModel("m", tmp_path / "model.pkl", policy=Policy(Mode.DENY))
    with pytest.raises(ModelLoadError, match="can run any code"):
        model.load()


def test_large_arrays_are_mapped(tmp_path: Path) -> None:
    random = np.random.default_rng(0)
    estimator = LogisticRegression()
    estimator.classes_ = np.arange(200)
    estimator.n_features_in_ = 1000
    estimator.coef_ = random.normal(size=(200, 1000))
    estimator.intercept_ = np.zeros(200)
    model = loaded(tmp_path, estimator)
    rows = random.normal(size=(3, 1000))
    np.testing.assert_array_equal(ask(model, rows)[0], estimator.predict(rows))
    assert "model.joblib" in Path("/proc/self/maps").read_text()


def test_an_unknown_output_names_those_there_are(tmp_path: Path) -> None:
    with pytest.raises(InvalidInputError, match=r"has no output proba\. It has: predict, "):
        ask(loaded(tmp_path, LogisticRegression(max_iter=500).fit(ROWS, CLASSES)), ROWS, "proba")


def test_what_was_not_fitted_is_not_served(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"holds a Pipeline that has not been fitted\. Fit it"):
        loaded(tmp_path, make_pipeline(StandardScaler(), LogisticRegression()))


def test_what_needs_no_fit_is_served(tmp_path: Path) -> None:
    doubled = loaded(tmp_path, FunctionTransformer(np.negative))
    np.testing.assert_array_equal(ask(doubled, ROWS, "transform")[0], -ROWS)


def test_a_file_that_was_cut_off_is_told(tmp_path: Path) -> None:
    (tmp_path / "model.pkl").touch()
    with pytest.raises(ModelLoadError, match="it ends too early"):
        SklearnModel("m", tmp_path / "model.pkl").load()


@pytest.mark.parametrize(
    "estimator", [CategoricalNB(), make_pipeline(FunctionTransformer(), CategoricalNB())]
)
def test_a_category_unseen_in_training_is_the_clients_error(tmp_path: Path, estimator: Any) -> None:
    rows = np.array([[0, 1], [1, 2], [2, 0], [1, 1]])
    model = loaded(tmp_path, estimator.fit(rows, [0, 1, 1, 0]))
    np.testing.assert_array_equal(ask(model, rows, "predict")[0], estimator.predict(rows))
    with pytest.raises(IndexError):
        estimator.predict([[9, 1]])
    told = "refused the input: a category was not seen in training: index 9 is out of bounds"
    with pytest.raises(InvalidInputError, match=told):
        ask(model, np.array([[9, 1]]))
