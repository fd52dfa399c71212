"""What a folder of models holds, and a server of it."""

from __future__ import annotations

from contextlib import nullcontext
from pathlib import Path
from typing import Any

import orjson
import pytest

from predictors.serving.errors import ModelLoadError, StorageError
from predictors.serving.repository.folder import find_models
from predictors.serving.repository.loading import FolderRepository, runtime_of
from predictors.serving.repository.source import ModelSource
from predictors.serving.repository.states import newest
from predictors.serving.settings import BatchSettings


def _file(path: Path, data: object = b"x") -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(data if isinstance(data, bytes) else orjson.dumps(data))


def test_layouts(tmp_path: Path) -> None:
    _file(tmp_path / "plain/model.joblib")
    _file(tmp_path / "versions/1/model.joblib")
    _file(tmp_path / "versions/10/model.joblib")
    _file(tmp_path / "versions/9/model.joblib")
    settings = {
        "name": "spam",
        "implementation": "mlserver_sklearn.SKLearnModel",
        "max_batch_size": 16,
        "max_batch_time": 0.5,
        "parameters": {"uri": "./spam.joblib", "version": "v0.2"},
    }
    _file(tmp_path / "mail/model-settings.json", settings)
    _file(tmp_path / "remote/model-settings.json", {"parameters": {"uri": "s3://bucket/m"}})
    (tmp_path / "empty").mkdir()
    (tmp_path / ".hidden").mkdir()
    sources = {source.name: source for source in find_models(tmp_path)}
    assert sources == {
        "plain": ModelSource("plain", "1", tmp_path / "plain"),
        "versions": ModelSource("versions", "10", tmp_path / "versions/10"),
        "spam": ModelSource(
            "spam",
            "v0.2",
            tmp_path / "mail/spam.joblib",
            "mlserver_sklearn.SKLearnModel",
            BatchSettings(16, 0.5),
        ),
        "remote": ModelSource("remote", "1", "s3://bucket/m"),
    }
    every = find_models(tmp_path, all_versions=True)
    assert [s.version for s in every if s.name == "versions"] == ["1", "9", "10"]


def test_one_settings_file_at_the_top(tmp_path: Path) -> None:
    _file(tmp_path / "model-settings.json", {"name": "only"})
    assert find_models(tmp_path) == [ModelSource("only", "1", tmp_path)]


@pytest.mark.parametrize(
    ("settings", "reason"),
    [
        (b"{", "is not valid JSON"),
        ([], "must hold a JSON object"),
        ({"name": 7}, "name must be a non-empty string, got 7"),
        ({"parameters": []}, "parameters must be an object"),
        ({"parameters": {"uri": ""}}, "uri must be a non-empty string"),
        ({"max_batch_size": "8"}, "max_batch_size must be a number of zero or more, got '8'"),
        ({"max_batch_size": 8, "max_batch_time": -1}, "max_batch_time must be a number"),
    ],
)
def test_settings_that_are_refused(tmp_path: Path, settings: Any, reason: str) -> None:
    if settings != []:
        _file(tmp_path / "m/model-settings.json", settings)
    else:
        _file(tmp_path / "m/model-settings.json", b"[]")
    if isinstance(settings, dict) and settings.get("parameters") == []:
        _file(tmp_path / "m/model-settings.json", b'{"parameters": [1]}')
    with pytest.raises(StorageError) as refusal:
        find_models(tmp_path)
    assert reason in str(refusal.value)
    assert "model-settings.json" in str(refusal.value)


def test_folders_that_are_none(tmp_path: Path) -> None:
    with pytest.raises(StorageError, match="is no folder"):
        find_models(tmp_path / "missing")
    _file(tmp_path / "a/model-settings.json", {"name": "m"})
    _file(tmp_path / "b/model-settings.json", {"name": "m"})
    with pytest.raises(StorageError, match="model m version 1 is twice"):
        find_models(tmp_path)


@pytest.mark.parametrize(
    ("versions", "latest"),
    [(["1", "10", "9"], "10"), (["a", "b"], "b"), (["v2", "3"], "3"), (["x"], "x")],
)
def test_the_newest_version(versions: list[str], latest: str) -> None:
    assert newest(versions) == latest


class _Runtime:
    name = "test"

    def __init__(self, model: Any) -> None:
        self._model = model

    def prepare(self) -> None: ...

    def warm(self) -> None: ...

    def rehearse(self) -> None: ...

    def model(self, name: str, folder: Path) -> Any:
        self.folder = folder
        self._model.name = name
        return self._model


def test_a_source_becomes_a_model(tmp_path: Path, model: Any) -> None:
    _file(tmp_path / "m/4/file")
    runtime = _Runtime(model)
    repository = FolderRepository(tmp_path, runtime, lambda place: nullcontext(Path(place)))
    [source] = repository.find()
    loaded = repository.load(source._replace(batching=BatchSettings(9)))
    assert (loaded.name, loaded.version, loaded.batching) == ("m", "4", BatchSettings(9))
    assert runtime.folder == tmp_path / "m/4"

    def fail() -> None:
        raise ZeroDivisionError("oh")

    model.load = fail
    with pytest.raises(ModelLoadError, match="ZeroDivisionError: oh"):
        repository.load(source)


def test_implementations(model: Any) -> None:
    own = _Runtime(model)
    assert runtime_of("", own) is own
    assert runtime_of("mlserver_sklearn.SKLearnModel", own).name == "sklearn"
    assert runtime_of("predictors.sklearn", own).name == "sklearn"
    with pytest.raises(ModelLoadError, match=r"my\.Thing is not known here\. Known: "):
        runtime_of("my.Thing", own)
