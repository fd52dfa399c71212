from __future__ import annotations

import logging
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import orjson
import pytest
import sklearn
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression

from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.protocols import v1, v2
from predictors.sklearn.model import SklearnModel
from predictors.sklearn.runtime import RUNTIME

X = {"name": "x", "datatype": "FP64"}


def loaded(folder: Path, **options: Any) -> SklearnModel:
    [file] = folder.glob("model.*")  # a server of another test may have left a twin beside it
    model = SklearnModel("m", file, **options)
    model.load()
    return model


def ask(model: SklearnModel, rows: Any) -> Any:
    return orjson.loads(v1.predict(model, orjson.dumps({"instances": rows})).body)["predictions"]


def ask_v2(model: SklearnModel, inputs: Any, outputs: Sequence[str] = ()) -> list[Any]:
    body: dict[str, Any] = {"inputs": inputs}
    if outputs:
        body["outputs"] = [{"name": name} for name in outputs]
    answer: list[Any] = orjson.loads(v2.infer_json(model, orjson.dumps(body)).body)["outputs"]
    return answer


def test_strings_and_numbers_in_a_pipeline(colours_folder: Path) -> None:
    model = loaded(colours_folder)
    assert ask(model, [["red", 1.0], ["green", 9.0]]) == ["small", "large"]
    columns = [
        {"name": "colour", "datatype": "BYTES", "shape": [2], "data": ["red", "green"]},
        {"name": "size", "datatype": "FP64", "shape": [2, 1], "data": [1, 9]},
    ]
    [output] = ask_v2(model, columns)
    assert output["data"] == ["small", "large"]
    assert output["datatype"] == "BYTES"


def test_an_unknown_category_is_the_clients_error(colours_folder: Path) -> None:
    with pytest.raises(InvalidInputError, match="refused the input: Found unknown categories"):
        ask(loaded(colours_folder), [["mauve", 1.0]])


def test_a_regressor_saved_as_pickle(line_folder: Path) -> None:
    model = loaded(line_folder)
    assert ask(model, [[10], [20]]) == pytest.approx([21, 41])
    assert [spec.name for spec in model.outputs] == ["predict"]
    with pytest.raises(InvalidInputError, match=r"no output predict_proba .*It has: predict\."):
        ask_v2(
            model,
            [{"name": "x", "datatype": "FP64", "shape": [1, 1], "data": [1]}],
            ["predict_proba"],
        )


def test_probabilities_when_asked(iris_folder: Path, iris: LogisticRegression) -> None:
    rows = [[5.1, 3.5, 1.4, 0.2], [6.0, 3.0, 5.0, 2.0]]
    wanted = iris.predict_proba(np.array(rows))
    assert ask(loaded(iris_folder, predict_proba=True), rows) == wanted.tolist()
    tensor = X | {"shape": [2, 4], "data": rows}
    first, second = ask_v2(loaded(iris_folder), [tensor], ["predict_proba", "predict"])
    assert (first["name"], first["shape"]) == ("predict_proba", [2, 3])
    assert first["data"] == wanted.ravel().tolist()
    assert (second["name"], second["shape"]) == ("predict", [2, 1])


def test_nan_is_what_the_model_makes_of_it(iris_folder: Path) -> None:
    with pytest.raises(InvalidInputError, match="Model m refused the input: Input X contains NaN"):
        ask(loaded(iris_folder), [[1, None, 1, 1]])


def test_nan_is_a_value_to_models_that_take_it(tmp_path: Path) -> None:
    rows = np.array([[0.0, 1.0], [0.0, np.nan]] * 40)
    model = HistGradientBoostingClassifier(max_iter=5).fit(rows, [0, 1] * 40)
    joblib.dump(model, tmp_path / "model.joblib")
    assert ask(loaded(tmp_path), [[0, 1], [0, None]]) == [0, 1]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([[1, 2, 3]], "Model m expects 4 values per row, instances has 3."),
        ([1, 2, 3, 4], "Model m expects instances of shape [-1, 4], got [4]."),
        (
            [[[1, 2, 3, 4]]],
            "Model m expects instances of shape [-1, 4], got [1, 1, 4].",
        ),
        ([["a", 2, 3, 4]], "instances[0][0]: model m takes a number, got 'a'."),
        ([{"a": 1, "b": 2, "c": 3}], "Model m expects 4 values per row, got 3."),
    ],
)
def test_rows_that_do_not_fit(iris_folder: Path, rows: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        ask(loaded(iris_folder), rows)
    assert str(refusal.value) == reason


def named(folder: Path) -> SklearnModel:
    """A model as if fitted on a data frame."""
    model = LogisticRegression().fit([[0, 9], [1, 1], [0, 8], [1, 0]], [0, 1, 0, 1])
    model.feature_names_in_ = np.array(["first", "second"], dtype=object)
    joblib.dump(model, folder / "model.joblib")
    return loaded(folder)


def test_columns_come_in_the_order_of_the_fit(tmp_path: Path) -> None:
    model = named(tmp_path)
    assert ask(model, [{"second": 9, "first": 0}, {"second": 0, "first": 1}]) == [0, 1]
    assert ask(model, [[0, 9]]) == [0]


@pytest.mark.parametrize(
    ("rows", "reason"),
    [
        ([{"first": 1, "second": [2, 3]}], "Column second must have one value per row."),
        (
            [{"first": 1, "third": 2}],
            "instances[0].third: model m has no input third. It takes: first, second.",
        ),
        ([[1]], "Model m expects 2 values per row (first, second), instances has 1."),
    ],
)
def test_columns_that_do_not_fit(tmp_path: Path, rows: Any, reason: str) -> None:
    with pytest.raises(InvalidInputError) as refusal:
        ask(named(tmp_path), rows)
    assert str(refusal.value) == reason


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    file = tmp_path / "model.joblib"
    file.write_bytes(b"\x00not a pickle")
    with pytest.raises(ModelLoadError, match=r"model\.joblib cannot be loaded: .*joblib or pickle"):
        loaded(tmp_path)
    joblib.dump({"a": 1}, file)
    with pytest.raises(ModelLoadError, match="holds a dict, which has no method predict"):
        loaded(tmp_path)
    file.write_bytes(b"cno.such.module\nThing\n.")
    with pytest.raises(ModelLoadError, match="needs the Python module no, which is not installed"):
        loaded(tmp_path)


def test_another_versions_model_is_told_once(
    iris: LogisticRegression, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    file = tmp_path / "model.joblib"
    state = dict(iris.__getstate__(), _sklearn_version="1.0.2")

    class Old(LogisticRegression):  # type: ignore[misc]
        def __reduce__(self) -> Any:
            return (LogisticRegression, (), state)

    joblib.dump(Old(), file)
    with caplog.at_level(logging.WARNING):
        loaded(tmp_path)
    [record] = [r for r in caplog.records if r.name == "predictors.sklearn.model"]
    assert record.getMessage() == (
        f"{file} was saved by scikit-learn 1.0.2 and is loaded by {sklearn.__version__}: "
        "predictions may differ. "
        "Save it again with this version, or use an image with that one."
    )


def test_the_runtime_reads_kserves_switch(
    iris_folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PREDICT_PROBA", "true")
    model = RUNTIME.model("iris", iris_folder)
    model.load()
    assert isinstance(model, SklearnModel)
    assert len(ask(model, [[5.1, 3.5, 1.4, 0.2]])[0]) == 3
