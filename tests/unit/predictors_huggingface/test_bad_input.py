"""What is wrong with a request, or with a model's folder, is told in one clear line."""

from __future__ import annotations

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from predictors.huggingface.options import Options
from predictors.huggingface.runtime import HuggingFaceRuntime
from predictors.serving.errors import InvalidInputError, ModelLoadError, StorageError

LONG = "rain " * 100


@pytest.mark.parametrize(
    ("body", "told"),
    [
        ({}, '"instances"'),
        ({"instances": []}, "instances is empty"),
        ({"instances": [""]}, r"instances\[0\] is empty"),
        ({"instances": ["fine", "  "]}, r"instances\[1\] is empty"),
        ({"instances": [7]}, r"instances\[0\] is int; text is expected"),
        ({"instances": [{"txt": "fine"}]}, "'txt', which is not known. It may have text"),
        ({"instances": [{"text_pair": "fine"}]}, "has no 'text'"),
        ({"instances": ["fine"], "parameters": {"temperature": 1}}, "temperature is not known"),
        ({"instances": ["fine"], "parameters": {"top_k": 0}}, "top_k must be an integer"),
        ({"instances": ["fine"], "parameters": {"truncation": 1}}, "must be true or false"),
        (
            {"instances": [LONG], "parameters": {"truncation": False}},
            r"instances\[0\] has more than 64 tokens",
        ),
    ],
)
async def test_v1(
    bert: Callable[..., Path], serve: Any, v1_ask: Any, body: dict[str, Any], told: str
) -> None:
    model = serve(bert("BertForSequenceClassification", num_labels=3))
    with pytest.raises(InvalidInputError, match=told):
        await v1_ask(model, body)
    assert await v1_ask(model, {"instances": ["fine day"]})


async def test_v2(bert: Callable[..., Path], serve: Any, v2_ask: Any) -> None:
    model = serve(bert("BertForQuestionAnswering"))
    with pytest.raises(InvalidInputError, match="needs context as well"):
        await v2_ask(model, {"question": ["where ?"]})
    with pytest.raises(InvalidInputError, match="context has 2 elements, question has 1"):
        await v2_ask(model, {"question": ["where ?"], "context": ["a", "b"]})


async def test_long_texts_are_cut_as_in_kserve_or_refused_as_told(
    bert: Callable[..., Path], serve: Any, v1_ask: Any
) -> None:
    folder = bert("BertForSequenceClassification", num_labels=3)
    assert await v1_ask(serve(folder), {"instances": [LONG]})
    strict = serve(folder, "--truncation=false", "--max_length=16")
    with pytest.raises(InvalidInputError, match=r"more than 16 tokens.*truncation"):
        await v1_ask(strict, {"instances": [LONG]})
    asked = {"instances": [LONG], "parameters": {"truncation": True}}
    assert await v1_ask(strict, asked)


async def test_the_event_loop_does_not_wait_for_long_texts(
    bert: Callable[..., Path], serve: Any, v1_ask: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    model = serve(bert("BertForSequenceClassification", num_labels=3))
    threads, encode = [], model.tokenizer.encode

    def noted(*given: Any, **named: Any) -> Any:
        threads.append(threading.current_thread())
        return encode(*given, **named)

    monkeypatch.setattr(model.tokenizer, "encode", noted)
    await v1_ask(model, {"instances": [LONG]})
    await v1_ask(model, {"instances": [LONG * 100]})
    assert threads[0] is threading.main_thread() is not threads[1]


async def test_a_mask_and_labels_are_needed(
    bert: Callable[..., Path], serve: Any, v1_ask: Any
) -> None:
    with pytest.raises(InvalidInputError, match=r"instances\[0\] has no \[MASK\]"):
        await v1_ask(serve(bert("BertForMaskedLM")), {"instances": ["fine"]})
    nli = bert("BertForSequenceClassification", id2label={0: "contra", 1: "n", 2: "entailment"})
    with pytest.raises(InvalidInputError, match="candidate_labels"):
        await v1_ask(serve(nli, "--task=zero-shot"), {"instances": ["fine"]})


def load(folder: Path, *flags: str) -> None:
    model = HuggingFaceRuntime(Options.of(flags, {})).model("m", folder)
    model.load()


@pytest.mark.parametrize(
    ("gone", "told"),
    [
        ("config.json", r"config.json is missing.*It has: model.safetensors"),
        ("model.safetensors", "has no weights: neither model.safetensors nor"),
    ],
)
def test_a_file_is_missing(bert: Callable[..., Path], tmp_path: Path, gone: str, told: str) -> None:
    shutil.copytree(bert("BertModel"), tmp_path / "m")
    (tmp_path / "m" / gone).unlink()
    with pytest.raises(StorageError, match=told):
        load(tmp_path / "m")


def test_the_config_is_no_object(tmp_path: Path) -> None:
    (tmp_path / "config.json").write_text("[]")
    with pytest.raises(ModelLoadError, match=r"config.json must hold a JSON object"):
        load(tmp_path)


def test_a_shard_is_missing(bert: Callable[..., Path], tmp_path: Path) -> None:
    shutil.copytree(bert("BertModel"), tmp_path / "m")
    index = tmp_path / "m" / "model.safetensors.index.json"
    index.write_text(json.dumps({"weight_map": {"a": "one.safetensors", "b": "two.safetensors"}}))
    (tmp_path / "m" / "one.safetensors").write_bytes(b"")
    with pytest.raises(StorageError, match=r"lacks two\.safetensors, which model\."):
        load(tmp_path / "m")


def test_there_is_no_tokenizer(bert: Callable[..., Path], tmp_path: Path) -> None:
    shutil.copytree(bert("BertModel"), tmp_path / "m")
    for name in ("tokenizer.json", "tokenizer_config.json", "vocab.txt"):
        (tmp_path / "m" / name).unlink(missing_ok=True)
    with pytest.raises(ModelLoadError, match=r"no tokenizer\.json"):
        load(tmp_path / "m")


def test_weights_are_cut_off(bert: Callable[..., Path], tmp_path: Path) -> None:
    shutil.copytree(bert("BertModel"), tmp_path / "m")
    file = tmp_path / "m" / "model.safetensors"
    file.write_bytes(file.read_bytes()[:5000])
    with pytest.raises(ModelLoadError, match="no complete safetensors file"):
        load(tmp_path / "m")


def test_the_head_of_a_task_is_missing(bert: Callable[..., Path]) -> None:
    with pytest.raises(ModelLoadError, match=r"no weights for classifier.bias.*--task"):
        load(bert("BertModel"), "--task=token-classification")


def test_the_config_is_of_another_model(bert: Callable[..., Path], tmp_path: Path) -> None:
    shutil.copytree(bert("BertModel"), tmp_path / "m")
    file = tmp_path / "m" / "config.json"
    file.write_text(json.dumps({**json.loads(file.read_text()), "hidden_size": 64}))
    with pytest.raises(ModelLoadError, match=r"config.json makes it"):
        load(tmp_path / "m")


def test_tasks_that_are_not_there(bert: Callable[..., Path]) -> None:
    with pytest.raises(ModelLoadError, match=r"--task juggling.*There are: text-classification"):
        load(bert("BertModel"), "--task=juggling")
    with pytest.raises(ModelLoadError, match=r"none of the labels LABEL_0.*is entailment"):
        load(bert("BertForSequenceClassification", num_labels=3), "--task=zero-shot")
    with pytest.raises(ModelLoadError, match="more than the 64 positions"):
        load(bert("BertModel"), "--max_length=100")
    with pytest.raises(ModelLoadError, match="texts of 3 tokens leave no room"):
        load(bert("BertModel"), "--max_length=3")


def test_code_of_the_folder_is_not_run(
    bert: Callable[..., Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    shutil.copytree(bert("BertModel"), tmp_path / "m")
    file = tmp_path / "m" / "config.json"
    told = json.loads(file.read_text())
    told |= {
        "model_type": "mine",
        "auto_map": {"AutoModel": "mine.Mine", "AutoConfig": "mine.Config"},
    }
    file.write_text(json.dumps(told))
    (tmp_path / "m" / "mine.py").write_text("raise SystemExit('run')")
    with pytest.raises(ModelLoadError, match="--trust_remote_code"):
        load(tmp_path / "m")
    monkeypatch.setenv("ROUSE_UNSAFE_FORMATS", "deny")
    with pytest.raises(ModelLoadError, match="Python code in a model's folder"):
        load(tmp_path / "m", "--trust_remote_code")
