from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from sklearn.ensemble import RandomForestClassifier
from sklearn.linear_model import LinearRegression, LogisticRegression, Ridge, SGDClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import MinMaxScaler, StandardScaler
from sklearn.svm import LinearSVC

from predictors.sklearn.lean import lean_predict

RANDOM = np.random.default_rng(7)
ROWS = RANDOM.normal(size=(60, 4))


@pytest.mark.parametrize("estimator", [LogisticRegression(), LinearSVC(), SGDClassifier()])
@pytest.mark.parametrize("classes", [["no", "yes"], [3, 1, 7]])
@pytest.mark.parametrize("dtype", [np.float64, np.float32, np.int64])
def test_classifiers_answer_as_their_own_predict(
    estimator: Any, classes: list[Any], dtype: type
) -> None:
    estimator.fit(ROWS, np.array(classes)[np.arange(60) % len(classes)])
    lean = lean_predict(estimator)
    assert lean is not None
    rows: Any = (RANDOM.normal(size=(200, 4)) * 5).astype(dtype)
    np.testing.assert_array_equal(lean(rows), estimator.predict(rows), strict=True)


@pytest.mark.parametrize("targets", [1, 2])
@pytest.mark.parametrize("estimator", [LinearRegression(), Ridge(), Ridge(fit_intercept=False)])
def test_regressors_answer_as_their_own_predict(estimator: Any, targets: int) -> None:
    wanted = RANDOM.normal(size=(60, targets))
    estimator.fit(ROWS, wanted[:, 0] if targets == 1 else wanted)
    lean = lean_predict(estimator)
    assert lean is not None
    np.testing.assert_array_equal(lean(ROWS), estimator.predict(ROWS), strict=True)


@settings(deadline=None, max_examples=30)
@given(
    arrays(
        st.sampled_from([np.float64, np.float32, np.int64]),
        st.tuples(st.integers(1, 5), st.just(4)),
        elements=st.integers(-(2**20), 2**20),
    )
)
@pytest.mark.parametrize(
    "last", [LogisticRegression(), LinearRegression(), LinearSVC(), Ridge(fit_intercept=False)]
)
def test_a_scaler_and_a_linear_model_answer_as_their_own_predict(last: Any, rows: Any) -> None:
    pipeline = make_pipeline(StandardScaler(), last)
    pipeline.fit(ROWS * [1, 10, 100, 0.1] + 3, np.arange(60) % 3)
    lean = lean_predict(pipeline)
    assert lean is not None
    np.testing.assert_array_equal(lean(rows), pipeline.predict(rows), strict=True)


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf, 1e300])
def test_unusual_rows_are_left_to_the_estimator(value: float, iris: LogisticRegression) -> None:
    lean = lean_predict(iris)
    assert lean is not None
    assert lean(np.array([[1.0, value, 1.0, 1.0]])) is None
    assert lean(np.array([["a", 1, 1, 1]], dtype=object)) is None
    assert lean(np.empty((0, 4))) is None


class Doubling(LinearRegression):  # type: ignore[misc]
    def predict(self, rows: Any) -> Any:
        return 2 * super().predict(rows)


@pytest.mark.parametrize(
    "estimator",
    [
        Doubling(),
        RandomForestClassifier(n_estimators=2),
        make_pipeline(MinMaxScaler(), LogisticRegression()),
        make_pipeline(StandardScaler(with_mean=False), LogisticRegression()),
        make_pipeline(StandardScaler(), Doubling()),
    ],
)
def test_other_estimators_have_no_lean_form(estimator: Any) -> None:
    assert lean_predict(estimator.fit(ROWS, np.arange(60) % 2)) is None
