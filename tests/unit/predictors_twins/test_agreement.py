"""Twins of random models answer as scikit-learn does; what has none says why."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import lightgbm
import numpy as np
import pytest
import xgboost
from hypothesis import Phase, given, settings
from hypothesis import strategies as st
from sklearn.compose import ColumnTransformer
from sklearn.decomposition import PCA
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.ensemble import (
    ExtraTreesClassifier,
    GradientBoostingClassifier,
    GradientBoostingRegressor,
    HistGradientBoostingClassifier,
    HistGradientBoostingRegressor,
    RandomForestClassifier,
    RandomForestRegressor,
)
from sklearn.impute import SimpleImputer
from sklearn.linear_model import (
    Lasso,
    LogisticRegression,
    PoissonRegressor,
    Ridge,
    RidgeClassifier,
    SGDClassifier,
)
from sklearn.naive_bayes import CategoricalNB, GaussianNB
from sklearn.neural_network import MLPClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import (
    FunctionTransformer,
    MinMaxScaler,
    Normalizer,
    OneHotEncoder,
    OrdinalEncoder,
    PolynomialFeatures,
    RobustScaler,
    StandardScaler,
)
from sklearn.svm import LinearSVC
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from predictors.lightgbm.model import BoosterModel as LightgbmModel
from predictors.serving.tensors import Tensor
from predictors.sklearn.model import SklearnModel
from predictors.twins.making import make
from predictors.xgboost.model import BoosterModel

# scikit-learn warns of logarithms of zero and of unknown categories.
pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning:sklearn"),
    pytest.mark.filterwarnings("ignore::UserWarning:sklearn"),
]

PHASES = (Phase.explicit, Phase.generate)
"""Shrinking fits models by the hundred, and tells nothing that the name and seed do not."""

Make = Callable[[], Any]
Judged = Callable[..., Any]

CLASSIFIERS: dict[str, Make] = {
    "logistic": lambda: LogisticRegression(max_iter=50),
    "ridge": RidgeClassifier,
    "sgd": lambda: SGDClassifier(loss="log_loss", max_iter=20),
    "svc": lambda: LinearSVC(max_iter=50),
    "lda": LinearDiscriminantAnalysis,
    "bayes": GaussianNB,
    "network": lambda: MLPClassifier((4,), max_iter=5),
    "tree": lambda: DecisionTreeClassifier(max_depth=6),
    "forest": lambda: RandomForestClassifier(7, max_depth=5),
    "extra": lambda: ExtraTreesClassifier(5),
    "boosting": lambda: GradientBoostingClassifier(n_estimators=4),
    "histogram": lambda: HistGradientBoostingClassifier(max_iter=3),
    "scaled": lambda: make_pipeline(StandardScaler(), LogisticRegression(max_iter=50)),
    "projected": lambda: make_pipeline(
        RobustScaler(), PCA(2, whiten=True), LogisticRegression(max_iter=50)
    ),
    "imputed": lambda: make_pipeline(SimpleImputer(), MinMaxScaler(), GaussianNB()),
}
REGRESSORS: dict[str, Make] = {
    "ridge": Ridge,
    "lasso": Lasso,
    "poisson": lambda: PoissonRegressor(max_iter=50),
    "tree": DecisionTreeRegressor,
    "forest": lambda: RandomForestRegressor(5),
    "boosting": lambda: GradientBoostingRegressor(n_estimators=5),
    "histogram": lambda: HistGradientBoostingRegressor(max_iter=3, loss="poisson"),
    "powers": lambda: make_pipeline(StandardScaler(), PolynomialFeatures(2), Normalizer(), Ridge()),
}


def table(seed: int, size: int, width: int) -> Any:
    random = np.random.default_rng(seed)
    # Whole numbers beside others: many rows then lie on a threshold exactly.
    return np.where(
        random.random((size, width)) < 0.5,
        random.integers(-3, 4, (size, width)),
        random.normal(scale=10.0 ** random.integers(-2, 3), size=(size, width)),
    )


@settings(max_examples=14, deadline=None, phases=PHASES)
@given(
    name=st.sampled_from(sorted(CLASSIFIERS)),
    seed=st.integers(0, 1000),
    width=st.integers(2, 6),
    classes=st.integers(2, 4),
    words=st.booleans(),
)
def test_twins_of_random_classifiers_agree(
    judged: Judged, name: str, seed: int, width: int, classes: int, words: bool
) -> None:
    rows = table(seed, 60, width)
    labels = np.arange(60) % classes
    wanted = np.array(["low", "mid", "high", "top"])[labels] if words else labels
    estimator = CLASSIFIERS[name]()
    verdict, twin = judged(estimator, rows, wanted)
    answer = twin.predict([Tensor("input", rows)], ())[0].array
    np.testing.assert_array_equal(answer, estimator.predict(rows))
    assert verdict.description is not None
    for method in verdict.description["heads"]:
        given_ = twin.predict([Tensor("input", rows)], (method,))[0].array
        if method != "predict":
            np.testing.assert_allclose(
                given_, getattr(estimator, method)(rows), rtol=1e-9, atol=1e-12
            )


@settings(max_examples=8, deadline=None, phases=PHASES)
@given(name=st.sampled_from(sorted(REGRESSORS)), seed=st.integers(0, 1000))
def test_twins_of_random_regressors_agree(judged: Judged, name: str, seed: int) -> None:
    rows = table(seed, 60, 3)
    wanted = np.abs(rows @ np.arange(3.0))
    estimator = REGRESSORS[name]()
    _, twin = judged(estimator, rows, wanted)
    answer = twin.predict([Tensor("input", rows)], ())[0].array
    np.testing.assert_allclose(answer, estimator.predict(rows), rtol=1e-9)


def test_columns_are_encoded_as_the_original_does(judged: Judged) -> None:
    rows = table(0, 60, 4)
    rows[:, 2], rows[:, 3] = np.arange(60) % 4, np.arange(60) % 3
    estimator = make_pipeline(
        ColumnTransformer(
            [
                ("numbers", StandardScaler(), [0, 1]),
                ("kinds", OneHotEncoder(handle_unknown="ignore", drop="first"), [2]),
                ("ranks", OrdinalEncoder(), slice(3, 4)),
            ]
        ),
        LogisticRegression(),
    )
    verdict, twin = judged(estimator, rows, np.arange(60) % 2)
    assert "predict_proba" in verdict.reason
    unknown = rows[:2].copy()
    unknown[:, 2] = 77.0
    answer = twin.predict([Tensor("input", unknown)], ("predict_proba",))[0].array
    np.testing.assert_allclose(answer, estimator.predict_proba(unknown), rtol=1e-9)


@pytest.mark.parametrize("objective", ["binary:logistic", "multi:softprob", "count:poisson"])
def test_boosters_agree_with_holes_too(objective: str, tmp_path: Path) -> None:
    rows = table(0, 80, 3)
    rows[::7, 1] = np.nan
    settings_: dict[str, Any] = {"objective": objective, "nthread": 1, "max_depth": 4}
    labels = np.arange(80) % (3 if objective == "multi:softprob" else 2)
    if objective == "multi:softprob":
        settings_["num_class"] = 3
    booster = xgboost.train(settings_, xgboost.DMatrix(rows, labels, nthread=1), 8)
    file = tmp_path / "model.ubj"
    booster.save_model(file)
    original = BoosterModel("m", file, threads=1)
    original.load()
    verdict = make(original, file, tmp_path, checks=100)
    assert verdict.description is not None, verdict.reason
    assert set(verdict.description["heads"]) == {"predict", "margin"}


@pytest.mark.parametrize("holes", [False, True])
def test_lightgbms_boosters_agree_with_holes_too(holes: bool, tmp_path: Path) -> None:
    rows = table(0, 120, 3)
    if holes:
        rows[::7, 1] = np.nan
    settings_ = {"objective": "multiclass", "num_class": 3, "num_threads": 1, "verbose": -1}
    data = lightgbm.Dataset(rows, np.arange(120) % 3, params={"verbose": -1, "num_threads": 1})
    booster = lightgbm.train(settings_, data, 4)
    file = tmp_path / "model.txt"
    booster.save_model(file)
    original = LightgbmModel("m", file, threads=1)
    original.load()
    verdict = make(original, file, tmp_path, checks=100)
    assert verdict.description is not None, verdict.reason
    assert set(verdict.description["heads"]) == {"predict", "raw_score"}


@pytest.mark.parametrize(
    ("estimator", "reason"),
    [
        (CategoricalNB(), "no translation of CategoricalNB"),
        (make_pipeline(FunctionTransformer(np.abs), Ridge()), "a function of the user's own"),
        (MLPClassifier((2,), max_iter=2), "several outputs"),
    ],
)
def test_what_has_no_twin_says_why(estimator: Any, reason: str, tmp_path: Path) -> None:
    rows = table(0, 30, 3)
    several = isinstance(estimator, MLPClassifier)
    rows = np.abs(rows).round() if isinstance(estimator, CategoricalNB) else rows
    estimator.fit(rows, rows[:, :2] > 0 if several else np.arange(30) % 2)
    file = tmp_path / "model.joblib"
    joblib.dump(estimator, file)
    original = SklearnModel("m", file)
    original.load()
    verdict = make(original, file, tmp_path, checks=50)
    assert verdict.description is None
    assert reason in verdict.reason


def test_a_translation_that_disagrees_is_not_used(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    rows = table(0, 60, 3)
    fitted = LogisticRegression().fit(rows, np.arange(60) % 3)
    file = tmp_path / "model.joblib"
    joblib.dump(fitted, file)
    original = SklearnModel("m", file)
    original.load()
    fitted.coef_[0, 0] += 1.0  # what is translated below is another model than what answers
    monkeypatch.setattr(original, "_estimator", fitted)
    original.call = lambda method, rows: getattr(joblib.load(file), method)(rows)  # type: ignore[method-assign]
    verdict = make(original, file, tmp_path, checks=100)
    assert verdict.description is None
    assert "disagrees" in verdict.reason
