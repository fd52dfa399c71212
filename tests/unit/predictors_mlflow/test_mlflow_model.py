from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import orjson
import pytest
import yaml
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from predictors.mlflow.model import MlflowModel
from predictors.mlflow.runtime import RUNTIME
from predictors.serving.errors import InvalidInputError, ModelLoadError, StorageError
from predictors.serving.policy import Mode, Policy
from predictors.serving.routes import HttpRequest
from predictors.serving.tensors import Tensor

pytestmark = [
    pytest.mark.filterwarnings("ignore::UserWarning"),
    pytest.mark.filterwarnings("ignore::FutureWarning"),
    pytest.mark.filterwarnings("ignore::DeprecationWarning"),
]
FRAME, CLASSES = load_iris(return_X_y=True, as_frame=True)
NAMES = list(FRAME.columns)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, LogisticRegression]:
    import mlflow.sklearn
    from mlflow.models import infer_signature

    own = LogisticRegression(max_iter=500).fit(FRAME, CLASSES)
    folder = tmp_path_factory.mktemp("models") / "iris"
    mlflow.sklearn.save_model(
        own,
        folder,
        signature=infer_signature(FRAME, own.predict(FRAME)),
        serialization_format="skops",
        pip_requirements=[],
    )
    return folder, own


@pytest.fixture(scope="module")
def function(tmp_path_factory: pytest.TempPathFactory) -> Path:
    import mlflow.pyfunc
    from mlflow.models import infer_signature

    class Sum(mlflow.pyfunc.PythonModel):  # type: ignore[misc, name-defined]
        def predict(self, context: Any, model_input: Any, params: Any = None) -> Any:
            return model_input.sum(axis=1)

    folder = tmp_path_factory.mktemp("models") / "sum"
    mlflow.pyfunc.save_model(
        folder,
        python_model=Sum(),
        signature=infer_signature(FRAME, np.zeros(3)),
        pip_requirements=[],
    )
    return folder


def loaded(folder: Path, **options: Any) -> MlflowModel:
    model = MlflowModel("m", folder, **options)
    model.load()
    return model


def test_the_sklearn_flavor_is_served_by_its_own_predictor(
    iris: tuple[Path, LogisticRegression],
) -> None:
    folder, own = iris
    model = loaded(folder, policy=Policy(Mode.DENY))
    assert model.metadata_extra["served_by"] == "sklearn"
    rows = FRAME.to_numpy()
    proba, labels = model.predict([Tensor("input", rows)], ["predict_proba", "predict"])
    np.testing.assert_array_equal(proba.array, own.predict_proba(FRAME))
    np.testing.assert_array_equal(labels.array, own.predict(FRAME))


@pytest.mark.parametrize(
    "body",
    [
        {"dataframe_split": {"columns": NAMES[::-1], "data": [[0.2, 1.4, 3.5, 5.1]]}},
        {"dataframe_records": [dict(zip(NAMES, [5.1, 3.5, 1.4, 0.2], strict=True))]},
        {"instances": [[5.1, 3.5, 1.4, 0.2]]},
        {"inputs": dict(zip(NAMES, [[5.1], [3.5], [1.4], [0.2]], strict=True))},
    ],
)
async def test_invocations_takes_each_form(
    iris: tuple[Path, LogisticRegression], function: Path, body: Any
) -> None:
    for folder, wanted in ((iris[0], 0), (function, pytest.approx(10.2))):
        [route] = loaded(folder).routes()
        request = HttpRequest("POST", "/invocations", "", {}, orjson.dumps(body))
        answer = await route.handle(request)
        assert orjson.loads(answer.body) == {"predictions": [wanted]}


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({}, "exactly one of dataframe_split, .*; it has none"),
        ({"instances": [], "inputs": []}, "it has instances, inputs"),
        ({"dataframe_split": {"data": [1]}}, "dataframe_split.data must be a list of rows"),
        ({"dataframe_split": {"columns": ["a"], "data": [[1, 2]]}}, "must name every value"),
        ({"inputs": {"a": [[1], [2, 3]]}}, "inputs.a is ragged"),
    ],
)
async def test_invocations_names_the_field(function: Path, body: Any, reason: str) -> None:
    [route] = loaded(function).routes()
    with pytest.raises(InvalidInputError, match=reason):
        await route.handle(HttpRequest("POST", "/invocations", "", {}, orjson.dumps(body)))


def test_a_function_has_the_signatures_columns(function: Path) -> None:
    model = loaded(function)
    assert [(spec.name, spec.datatype) for spec in model.inputs] == [(n, "FP64") for n in NAMES]
    columns = [Tensor(name, np.array([1.0, 2.0])) for name in NAMES]
    assert model.predict(columns, ())[0].array.tolist() == [4, 8]
    assert model.predict([Tensor("input", np.ones((1, 4)))], ())[0].array.tolist() == [4]
    with pytest.raises(InvalidInputError, match="expects 4 values per row, got 3"):
        model.predict([Tensor("input", np.ones((1, 3)))], ())
    with pytest.raises(InvalidInputError, match="refused the input"):
        model.predict(columns[:2], ())


def test_a_function_is_code(function: Path) -> None:
    with pytest.raises(ModelLoadError, match="an MLflow python_function can run any code"):
        loaded(function, policy=Policy(Mode.DENY))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("a: [", r"MLmodel:\d is no YAML: "),
        ("flavors: 3", "has no mapping flavors"),
        (yaml.safe_dump({"flavors": {"sklearn": {"pickled_model": "../x"}}}), "no file of the mo"),
        (yaml.safe_dump({"flavors": {}, "signature": {"inputs": "{"}}), "signature.inputs is no"),
    ],
)
def test_an_mlmodel_that_is_amiss(tmp_path: Path, text: str, reason: str) -> None:
    (tmp_path / "MLmodel").write_text(text)
    with pytest.raises(ModelLoadError, match=reason):
        loaded(tmp_path)


def test_the_folder_may_be_one_below(iris: tuple[Path, Any], tmp_path: Path) -> None:
    assert RUNTIME.model("m", iris[0].parent).name == "m"
    with pytest.raises(StorageError, match="must hold one MLflow model"):
        RUNTIME.model("m", tmp_path)
