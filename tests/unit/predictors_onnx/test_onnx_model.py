from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from onnx import TensorProto, helper
from skl2onnx import to_onnx
from sklearn.datasets import load_iris
from sklearn.linear_model import LogisticRegression

from predictors.onnx.rehearsal import TINY, rehearse
from predictors.onnx.runtime import RUNTIME
from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.tensors import Tensor

ROWS, CLASSES = load_iris(return_X_y=True)


def served(folder: Path, content: bytes) -> Any:
    (folder / "model.onnx").write_bytes(content)
    model = RUNTIME.model("m", folder)
    model.load()
    return model


@pytest.fixture(scope="module", params=[True, False], ids=["zipmap", "tensor"])
def iris(
    request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Any, bytes]:
    own = LogisticRegression(max_iter=500).fit(ROWS, CLASSES)
    options = {id(own): {"zipmap": request.param}}
    content = to_onnx(own, ROWS[:1].astype(np.float32), options=options).SerializeToString()
    return served(tmp_path_factory.mktemp("model"), content), content


@settings(deadline=None, max_examples=30)
@given(
    arrays(
        st.sampled_from([np.float64, np.float32, np.int64]),
        st.tuples(st.integers(1, 6), st.just(4)),
        elements=st.integers(-50, 50),
    )
)
def test_random_rows(iris: tuple[Any, bytes], rows: Any) -> None:
    model, content = iris
    labels, scores = model.predict([Tensor("anything", rows)], ())
    session = onnxruntime.InferenceSession(content, providers=["CPUExecutionProvider"])
    wanted, probabilities = session.run(None, {"X": rows.astype(np.float32)})
    np.testing.assert_array_equal(labels.array, wanted)
    if isinstance(probabilities, list):
        probabilities = [[row[k] for k in range(3)] for row in probabilities]
    np.testing.assert_array_equal(scores.array, np.array(probabilities, dtype=np.float32))


def test_the_signature(iris: tuple[Any, bytes]) -> None:
    model, _ = iris
    assert [tuple(spec[:3]) for spec in model.inputs] == [("X", "FP32", (-1, 4))]
    assert model.outputs[0].datatype == "INT64"
    assert model.outputs[1].datatype == "FP32"
    assert model.batchable


def graph() -> bytes:
    """label = Concat(word, word); twice = n + n"""
    made = helper.make_graph(
        [
            helper.make_node("Concat", ["word", "word"], ["words"], axis=1),
            helper.make_node("Add", ["n", "n"], ["twice"]),
        ],
        "g",
        [
            helper.make_tensor_value_info("word", TensorProto.STRING, ["rows", 1]),
            helper.make_tensor_value_info("n", TensorProto.INT64, ["rows", 1]),
        ],
        [
            helper.make_tensor_value_info("words", TensorProto.STRING, ["rows", 2]),
            helper.make_tensor_value_info("twice", TensorProto.INT64, ["rows", 1]),
        ],
    )
    opsets = [helper.make_opsetid("", 13)]
    content: bytes = helper.make_model(made, opset_imports=opsets, ir_version=8).SerializeToString()
    return content


def test_columns_of_strings_and_integers(tmp_path: Path) -> None:
    model = served(tmp_path, graph())
    word = Tensor("word", np.array(["a", "b"], dtype=object))
    twice, words = model.predict([Tensor("n", np.array([1.0, 2.0])), word], ["twice", "words"])
    assert twice.array.tolist() == [[2], [4]]
    assert words.array.tolist() == [["a", "a"], ["b", "b"]]
    for odd in (np.array([1.5, 2.0]), np.array(["x", "y"], dtype=object)):
        with pytest.raises(InvalidInputError, match="Input n of model m holds int64 values"):
            model.predict([Tensor("n", odd), word], ())
    with pytest.raises(InvalidInputError, match="takes the inputs word, n; given: word"):
        model.predict([word], ())
    with pytest.raises(InvalidInputError, match="has no output no"):
        model.predict([word], ["no"])


def test_a_size_that_does_not_fit(iris: tuple[Any, bytes]) -> None:
    with pytest.raises(InvalidInputError, match="refused the input"):
        iris[0].predict([Tensor("X", np.ones((1, 3)))], ())


def test_a_file_that_is_no_model(tmp_path: Path) -> None:
    with pytest.raises(ModelLoadError, match=r"model\.onnx cannot be loaded by ONNX Runtime"):
        served(tmp_path, b"no model")


def test_a_provider_that_is_not_there(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("ROUSE_ONNX_PROVIDERS", "NoSuchProvider")
    with pytest.raises(ModelLoadError, match=r"names NoSuchProvider; this build .* has .*CPU"):
        served(tmp_path, graph())


def test_the_rehearsals_model_is_what_it_says() -> None:
    x, y = (helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", 2]) for name in ("x", "y"))
    made = helper.make_graph([helper.make_node("Neg", ["x"], ["y"])], "g", [x], [y])
    opsets = [helper.make_opsetid("", 13)]
    model = helper.make_model(made, opset_imports=opsets, ir_version=8)
    assert model.SerializeToString() == TINY
    rehearse()
