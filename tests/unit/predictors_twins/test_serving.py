"""A server and the twins of its models: which answers, and what it says of it."""

from __future__ import annotations

import asyncio
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import joblib
import numpy as np
import orjson
import pytest
from sklearn.datasets import load_iris
from sklearn.gaussian_process import GaussianProcessClassifier
from sklearn.linear_model import LogisticRegression

from predictors.serving.errors import InferenceError, InvalidInputError, ModelLoadError
from predictors.serving.model import Model
from predictors.serving.protocols.v2 import model_metadata
from predictors.serving.tensors import Tensor
from predictors.sklearn.runtime import RUNTIME, SklearnRuntime
from predictors.twins.__main__ import main
from predictors.twins.choosing import Choice, choose
from predictors.twins.memory import memory_left
from predictors.twins.store import Place
from predictors.twins.translating import translate_later

ROWS, CLASSES = load_iris(return_X_y=True)
ROW = ROWS[:1]


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A folder of an iris model, without a twin."""
    made = tmp_path / "iris"
    made.mkdir()
    joblib.dump(LogisticRegression(max_iter=500).fit(ROWS, CLASSES), made / "model.joblib")
    return made


@pytest.fixture
def translated(folder: Path) -> Path:
    """The same, with its twin."""
    assert main(["translate", str(folder), "--check", "50"]) == 0
    return folder


def chosen(folder: Path, **env: str) -> Choice:
    return choose(RUNTIME, "iris", folder, env)


def loaded(folder: Path, **env: str) -> Model:
    twin = chosen(folder, **env).twin
    assert twin is not None
    twin.load()
    return twin


def ask(model: Model, rows: Any, *outputs: str) -> Any:
    return model.predict([Tensor("input", rows)], outputs)[0].array


def test_a_translated_model_is_served_by_its_twin(translated: Path) -> None:
    twin = loaded(translated)
    original = RUNTIME.model("iris", translated)
    original.load()
    for method in ("predict", "predict_proba", "decision_function"):
        np.testing.assert_allclose(ask(twin, ROWS, method), ask(original, ROWS, method))
    assert (twin.inputs, twin.outputs) == (original.inputs, original.outputs)
    told = model_metadata(twin)
    assert told["platform"] == "sklearn"
    assert told["parameters"]["twin"] == "numpy"


def test_proba_is_the_default_where_kserve_is_told_so(translated: Path) -> None:
    assert ask(loaded(translated, PREDICT_PROBA="true"), ROW).shape == (1, 3)


@pytest.mark.parametrize("odd", [np.nan, np.inf, -np.inf])
def test_refusals_are_the_originals_without_asking_it(
    translated: Path, odd: float, monkeypatch: pytest.MonkeyPatch
) -> None:
    original = RUNTIME.model("iris", translated)
    original.load()
    twin = loaded(translated)
    monkeypatch.setattr(SklearnRuntime, "model", lambda *_: pytest.fail("it was asked"))
    for rows in (np.array([[odd, 1.0, 2.0, 3.0]]), np.empty((0, 4)), ROWS[:, :3]):
        with pytest.raises(InvalidInputError) as wanted:
            ask(original, rows)
        with pytest.raises(InvalidInputError) as given:
            ask(twin, rows)
        assert str(given.value) == str(wanted.value)
    with pytest.raises(InvalidInputError, match="no output nonsense"):
        ask(twin, ROW, "nonsense")


def test_what_the_twin_leaves_goes_to_the_original_even_when_its_folder_is_gone(
    translated: Path,
) -> None:
    twin = loaded(translated)
    wanted = ask(twin, ROW)
    shutil.rmtree(translated)
    words = np.array([["5.1", "3.5", "1.4", "0.2"]], dtype=object)
    assert ask(twin, words) == wanted
    twin.unload()


def test_the_policy_holds_for_the_original(
    translated: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ROUSE_UNSAFE_FORMATS", "deny")
    twin = loaded(translated)
    assert ask(twin, ROW) == [0]
    with pytest.raises(InferenceError, match="such formats are denied here"):
        ask(twin, ROW.astype(object))


def test_off_and_unknown_words(translated: Path) -> None:
    choice = chosen(translated, ROUSE_TWIN="off")
    assert choice.twin is None
    original = RUNTIME.model("iris", translated)
    choice.note(original)
    assert original.metadata_extra == {"twin": "none", "twin_reason": "ROUSE_TWIN=off"}
    with pytest.raises(ModelLoadError, match="must be one of auto, off, require"):
        chosen(translated, ROUSE_TWIN="always")


def damage_end(data: bytes) -> bytes:
    return data[:-1] + bytes([data[-1] ^ 1])


@pytest.mark.parametrize(
    "damage",
    [
        damage_end,
        lambda data: data[:100],
        lambda data: b"",
        lambda data: data.replace(b"linear", b"lineal"),
        lambda data: b"\xff" * 64,
    ],
    ids=["flipped", "cut", "empty", "renamed", "noise"],
)
def test_a_damaged_twin_does_not_serve(translated: Path, damage: Any) -> None:
    place = Place.of(translated / "model.joblib", {})
    place.twin.write_bytes(damage(place.twin.read_bytes()))
    choice = chosen(translated)
    assert choice.twin is None
    assert "not usable" in choice.reason
    assert choice.pending is not None  # and is made anew


def test_a_changed_model_has_no_old_twin(translated: Path) -> None:
    joblib.dump(LogisticRegression().fit(ROWS, CLASSES == 0), translated / "model.joblib")
    assert chosen(translated).reason == "there is no twin yet"


def test_a_twin_is_made_in_the_background_and_used_by_the_next_start(folder: Path) -> None:
    choice = chosen(folder)
    assert choice.twin is None
    assert choice.pending is not None
    asyncio.run(translate_later(*choice.pending, delay=0.0))
    assert chosen(folder).twin is not None


async def test_a_server_that_stops_ends_its_translation(folder: Path) -> None:
    choice = chosen(folder)
    assert choice.pending is not None
    task = asyncio.create_task(translate_later(*choice.pending, delay=0.0))
    lock = folder / ".rouse-twins"
    async with asyncio.timeout(30):
        while not lock.exists():
            await asyncio.sleep(0.005)
    task.cancel()
    await asyncio.wait([task])
    assert task.cancelled()
    assert not list(lock.glob("*.twin"))
    assert chosen(folder).pending is not None  # the next start tries again


async def test_what_was_begun_and_did_not_end_is_left_for_hours(folder: Path) -> None:
    """The kernel may have ended the whole container for the memory of the translation."""
    place = Place.of(folder / "model.joblib", {})
    place.begin()
    choice = chosen(folder)
    assert choice.pending is None
    assert choice.reason == "a translation of it was begun and did not end"
    # Who asks for one gets it.
    assert chosen(folder, ROUSE_TWIN="require").twin is not None
    assert not place.verdict.exists()


async def test_an_original_that_breaks_the_translation_is_left_for_hours(folder: Path) -> None:
    (folder / "model.joblib").write_bytes(b"nothing")
    choice = chosen(folder)
    assert choice.pending is not None
    await translate_later(*choice.pending, delay=0.0)
    assert chosen(folder).pending is None


_STAT = "active_file 1000\ninactive_file 500\n"


async def test_a_container_is_not_filled_up(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    group = tmp_path / "v2"
    group.mkdir()
    for name, told in (("max", "9000"), ("current", "8000"), ("stat", _STAT)):
        (group / f"memory.{name}").write_text(told)
    assert memory_left(group) == 2500
    (group / "memory.max").write_text("max")
    assert memory_left(group) is None
    assert memory_left(tmp_path / "none") is None
    older = tmp_path / "v1" / "memory"
    older.mkdir(parents=True)
    stat = "".join(f"total_{line}\n" for line in _STAT.splitlines())
    for name, told in (("limit_in_bytes", "9000"), ("usage_in_bytes", "8000"), ("stat", stat)):
        (older / f"memory.{name}").write_text(told)
    assert memory_left(older.parent) == 2500

    monkeypatch.setattr("predictors.twins.translating.memory_left", lambda: 1_000_000)
    choice = chosen(folder)
    assert choice.pending is not None
    await translate_later(*choice.pending, delay=0.0)
    assert chosen(folder).pending is not None  # another container may have more


def test_required_it_is_made_at_once_or_the_load_fails(folder: Path, tmp_path: Path) -> None:
    assert chosen(folder, ROUSE_TWIN="require").twin is not None
    other = tmp_path / "neighbours"
    other.mkdir()
    joblib.dump(GaussianProcessClassifier().fit(ROWS, CLASSES), other / "model.joblib")
    with pytest.raises(ModelLoadError, match="no twin: not translated: there is no translation"):
        chosen(other, ROUSE_TWIN="require")
    # The verdict is kept: nobody tries again.
    choice = chosen(other)
    assert choice.pending is None
    assert "GaussianProcessClassifier" in choice.reason


def test_twins_are_kept_where_they_are_wanted(folder: Path, tmp_path: Path) -> None:
    env = {"ROUSE_TWIN_CACHE": str(tmp_path / "twins")}
    assert main(["translate", str(folder), "--check", "50"], env) == 0
    assert not (folder / ".rouse-twins").exists()
    assert chosen(folder, **env).twin is not None
    entry = tmp_path / "models" / "0123"
    entry.mkdir(parents=True)
    (entry / "manifest.json").write_bytes(orjson.dumps({}))
    shutil.copytree(folder, entry / "files")
    assert Place.of(entry / "files" / "model.joblib", {}).folder == entry / "twins"


def test_the_command_says_why_not(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    joblib.dump(GaussianProcessClassifier().fit(ROWS, CLASSES), tmp_path / "model.joblib")
    assert main(["translate", str(tmp_path)]) == 3
    assert "no translation of GaussianProcessClassifier" in capsys.readouterr().out
    (tmp_path / "model.joblib").write_bytes(b"nothing")
    assert main(["translate", str(tmp_path)]) == 1
    assert "cannot be loaded" in capsys.readouterr().err


_ANSWER = """
import sys
from pathlib import Path
import numpy as np
from predictors.sklearn.runtime import RUNTIME
import predictors.serving.server
from predictors.serving.tensors import Tensor
twin = RUNTIME.choose_twin("iris", Path(sys.argv[1])).twin
twin.load()
print(twin.predict([Tensor("input", np.array([[5.1, 3.5, 1.4, 0.2]]))], ())[0].array)
print([name for name in ("sklearn", "scipy", "joblib", "pandas") if name in sys.modules])
"""


def test_a_twin_needs_no_framework(translated: Path) -> None:
    argv = [sys.executable, "-c", _ANSWER, str(translated)]
    env = {name: value for name, value in os.environ.items() if name != "ROUSE_TWIN"}
    done = subprocess.run(argv, capture_output=True, text=True, timeout=30, env=env, check=True)
    assert done.stdout.splitlines() == ["[0]", "[]"]
