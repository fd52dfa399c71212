"""Twins of real fitted models of many kinds: every method that has one, and how it answers."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

import numpy as np
import pytest
from sklearn.calibration import CalibratedClassifierCV
from sklearn.cluster import KMeans, MiniBatchKMeans
from sklearn.compose import TransformedTargetRegressor
from sklearn.datasets import load_diabetes, load_iris
from sklearn.ensemble import (
    BaggingClassifier,
    BaggingRegressor,
    ExtraTreesRegressor,
    IsolationForest,
    RandomForestClassifier,
    StackingClassifier,
    StackingRegressor,
    VotingClassifier,
    VotingRegressor,
)
from sklearn.linear_model import LogisticRegression, Ridge
from sklearn.multiclass import OneVsRestClassifier
from sklearn.naive_bayes import BernoulliNB, ComplementNB, GaussianNB, MultinomialNB
from sklearn.neighbors import KNeighborsClassifier, KNeighborsRegressor, NearestCentroid
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.svm import SVC, SVR, NuSVC, NuSVR, OneClassSVM
from sklearn.tree import DecisionTreeClassifier, DecisionTreeRegressor

from predictors.serving.tensors import Tensor
from predictors.twins.artifact import Operation
from predictors.twins.operations import AskTheOriginal, chained

# scikit-learn warns of logarithms of zero, and of SVC's probabilities.
pytestmark = [
    pytest.mark.filterwarnings("ignore::RuntimeWarning:sklearn"),
    pytest.mark.filterwarnings("ignore:The `probability` parameter:FutureWarning"),
]

ROWS, LABELS = load_iris(return_X_y=True)
PAIR: Final = LABELS > 0
AMOUNT_ROWS, AMOUNTS = (part[:120] for part in load_diabetes(return_X_y=True))

CLASSIFIERS: dict[str, Any] = {
    "svc": SVC(gamma=0.001, C=100.0),
    "svc-linear": SVC(kernel="linear", decision_function_shape="ovo"),
    "svc-poly": SVC(kernel="poly", coef0=0.5, degree=5),
    "svc-sigmoid": make_pipeline(StandardScaler(), SVC(kernel="sigmoid")),
    "svc-proba": SVC(probability=True, random_state=0),
    "svc-ties": SVC(break_ties=True),
    "nusvc": NuSVC(nu=0.1),
    "neighbours": KNeighborsClassifier(3),
    "neighbours-weighted": KNeighborsClassifier(4, weights="distance"),
    "neighbours-brute": KNeighborsClassifier(5, algorithm="brute"),
    "multinomial": MultinomialNB(),
    "complement": ComplementNB(),
    "bernoulli": BernoulliNB(binarize=1.5),
}
REGRESSORS: dict[str, Any] = {
    "svr": SVR(C=10.0),
    "svr-poly": SVR(kernel="poly"),
    "nusvr": NuSVR(),
    "neighbours": KNeighborsRegressor(3),
    "neighbours-weighted": KNeighborsRegressor(weights="distance"),
}
OUTLIERS: dict[str, Any] = {
    "one-class": OneClassSVM(nu=0.1),
    "isolation": IsolationForest(n_estimators=20, max_features=0.5, random_state=0),
}
SEVERAL: dict[str, Any] = {
    "tree": DecisionTreeClassifier(max_depth=4),
    "forest": RandomForestClassifier(5, random_state=0),
}
SEVERAL_AMOUNTS: dict[str, Any] = {
    "tree": DecisionTreeRegressor(),
    "extra-trees": ExtraTreesRegressor(5, random_state=0),
}


def some() -> list[tuple[str, Any]]:
    return [("tree", DecisionTreeClassifier(max_depth=3)), ("bayes", GaussianNB())]


CLASSIFIERS |= {
    "voting": VotingClassifier(some(), voting="soft", weights=[1, 2]),
    "votes": VotingClassifier([*some(), ("svc", SVC())]),
    "bagging": BaggingClassifier(n_estimators=3, max_features=0.5),
    "rest": OneVsRestClassifier(make_pipeline(StandardScaler(), LogisticRegression())),
    "rest-bayes": OneVsRestClassifier(GaussianNB()),
    "calibrated": CalibratedClassifierCV(SVC(), cv=2),
    "isotonic": CalibratedClassifierCV(GaussianNB(), method="isotonic", cv=2),
    "stacking": StackingClassifier(some(), LogisticRegression(), cv=2),
}
REGRESSORS |= {
    "voting": VotingRegressor([("ridge", Ridge()), ("svr", SVR())]),
    "bagging": BaggingRegressor(n_estimators=3),
    "stacking": StackingRegressor([("ridge", Ridge()), ("svr", SVR())], Ridge(), cv=2),
    "target": TransformedTargetRegressor(Ridge(), transformer=StandardScaler()),
    "logarithm": TransformedTargetRegressor(Ridge(), func=np.log1p, inverse_func=np.expm1),
}

Judged = Callable[..., Any]


def check(judged: Judged, estimator: Any, rows: Any, wanted: Any) -> set[str]:
    """Hold the twin against the estimator; the methods that it has."""
    verdict, twin = judged(estimator, rows, wanted)
    for method in verdict.description["heads"]:
        for some in (rows[:1], rows):
            given = twin.predict([Tensor("input", some)], (method,))[0].array
            told = np.asarray(getattr(estimator, method)(some))
            if told.dtype.kind == "f":
                np.testing.assert_allclose(given, told, rtol=1e-9, atol=1e-12)
            else:
                np.testing.assert_array_equal(given, told)
    return set(verdict.description["heads"])


@pytest.mark.parametrize("pair", [False, True])
@pytest.mark.parametrize("name", CLASSIFIERS)
def test_classifiers_have_twins_in_all_methods(judged: Judged, name: str, pair: bool) -> None:
    estimator = CLASSIFIERS[name]
    offered = {"predict", "predict_proba", "predict_log_proba", "decision_function"}
    found = check(judged, estimator, ROWS, PAIR if pair else LABELS)
    assert found == {method for method in offered if hasattr(estimator, method)}


@pytest.mark.parametrize("name", REGRESSORS)
def test_regressors_have_twins(judged: Judged, name: str) -> None:
    assert check(judged, REGRESSORS[name], AMOUNT_ROWS, AMOUNTS) == {"predict"}


@pytest.mark.parametrize("name", OUTLIERS)
def test_outlier_detectors_have_twins_in_all_methods(judged: Judged, name: str) -> None:
    found = check(judged, OUTLIERS[name], ROWS, None)
    assert found == {"predict", "decision_function", "score_samples"}


@pytest.mark.parametrize("name", SEVERAL)
def test_trees_of_several_outputs_have_twins(judged: Judged, name: str) -> None:
    estimator, wanted = SEVERAL[name], np.column_stack([LABELS, PAIR.astype(int)])
    verdict, twin = judged(estimator, ROWS, wanted)
    assert set(verdict.description["heads"]) == {"predict", "predict_proba", "predict_log_proba"}
    asked = [Tensor("input", ROWS)]
    np.testing.assert_array_equal(twin.predict(asked, ())[0].array, estimator.predict(ROWS))
    given = twin.predict(asked, ("predict_proba",))[0].array
    for output, told in enumerate(estimator.predict_proba(ROWS)):
        np.testing.assert_allclose(given[:, output, : told.shape[1]], told, rtol=1e-9)
    assert np.isnan(given[:, 1, 2]).all()  # the second output has two classes


@pytest.mark.parametrize("name", SEVERAL_AMOUNTS)
def test_trees_of_several_amounts_have_twins(judged: Judged, name: str) -> None:
    wanted = np.column_stack([AMOUNTS, -AMOUNTS, np.sqrt(AMOUNTS)])
    assert check(judged, SEVERAL_AMOUNTS[name], AMOUNT_ROWS, wanted) == {"predict"}


@pytest.mark.parametrize("estimator", [KMeans(4, n_init=1), MiniBatchKMeans(3, n_init=1)])
def test_clusters_have_twins(judged: Judged, estimator: Any) -> None:
    assert check(judged, estimator, ROWS, None) == {"predict", "transform"}


def test_a_centroids_labels_have_a_twin(judged: Judged) -> None:
    assert check(judged, NearestCentroid(), ROWS, LABELS) == {"predict"}


def test_between_two_neighbours_the_original_is_asked() -> None:
    vectors, targets = np.array([[0.0, 1.0], [2.0, 1.0]]), np.array([[0.0], [1.0]])
    told = {"count": 1, "weighted": False, "expanded": False, "votes": False}
    step = chained([Operation("neighbours", {"vectors": vectors, "targets": targets, **told})])
    assert step(np.array([[0.1, 0.2]])) == 0.0
    with pytest.raises(AskTheOriginal):
        step(np.array([[0.1, 0.2], [1.0, 1.0]]))
