"""Tokenizers that a warm parent keeps for its children."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from tokenizers import Tokenizer, models

from predictors.huggingface import kept
from predictors.huggingface.config import ModelFolder
from predictors.huggingface.options import Options
from predictors.huggingface.text import load_tokenizer


@pytest.fixture(autouse=True)
def nothing_is_kept() -> Iterator[None]:
    kept._kept.clear()
    yield
    kept._kept.clear()


def save(folder: Path, *words: str) -> Path:
    folder.mkdir(exist_ok=True)
    file = folder / "tokenizer.json"
    vocabulary = {word: number for number, word in enumerate(("[UNK]", *words))}
    Tokenizer(models.WordLevel(vocabulary, unk_token="[UNK]")).save(str(file))
    return file


def test_the_next_process_of_a_model_takes_what_was_kept_once(tmp_path: Path) -> None:
    file = save(tmp_path / "m", "fine", "day")
    kept.expect(["--model_name=m", f"--model_dir={file.parent}"], {})
    taken = kept.take(file)
    assert taken is not None
    assert taken.get_vocab_size() == 3
    assert kept.take(file) is None


@pytest.mark.parametrize("scheme", ["", "file://"])
def test_the_location_in_the_environment_goes_first(tmp_path: Path, scheme: str) -> None:
    one, two = save(tmp_path / "1", "one"), save(tmp_path / "2", "two")
    kept.expect([f"--model_dir={one.parent}"], {"STORAGE_URI": f"{scheme}{two.parent}"})
    assert kept.take(one) is None
    assert kept.take(two) is not None


def test_a_file_that_was_replaced_is_read_again(tmp_path: Path) -> None:
    file = save(tmp_path / "m", "fine")
    kept.keep(file)
    (tmp_path / "new").mkdir()
    save(tmp_path / "new", "other", "words").replace(file)
    assert kept.take(file) is None


def test_a_model_is_loaded_with_what_was_kept(tmp_path: Path) -> None:
    file = save(tmp_path / "m", "fine", "day")
    (file.parent / "config.json").write_text(
        '{"model_type": "bert", "architectures": ["BertModel"]}'
    )
    kept.keep(file)
    kept.keep(file)
    [own] = kept._kept.values()
    files = ModelFolder.read(file.parent, Options(task="embedding"))
    assert load_tokenizer(files, Options()).rust is own
    assert load_tokenizer(files, Options()).rust is not own


def test_the_oldest_go_where_they_are_too_many(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = [save(tmp_path / name, f"{name}{name}") for name in "abc"]
    monkeypatch.setattr(kept, "_MOST_BYTES", 2 * files[0].stat().st_size)
    for file in (files[0], files[1], files[0], files[2]):
        kept.keep(file)
    assert [kept.take(file) is not None for file in files] == [True, False, True]


def test_what_cannot_be_kept_is_left_to_who_serves_it(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    broken = tmp_path / "tokenizer.json"
    broken.write_text("{")
    kept.expect([f"--model_dir={tmp_path}"], {})
    kept.expect([f"--model_dir={tmp_path / 'missing'}"], {})
    kept.expect(["--model_dir=hf://org/model"], {})
    kept.expect([], {})
    large = save(tmp_path / "large", "word")
    monkeypatch.setattr(kept, "_MOST_BYTES", large.stat().st_size - 1)
    kept.keep(large)
    assert not kept._kept
