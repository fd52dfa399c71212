"""Tasks by config and name, metadata, documented examples, and KServe's flags."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from predictors.huggingface.cli import arguments
from predictors.huggingface.options import Options, parser
from predictors.huggingface.task import Task, infer_task, named_task
from predictors.serving.errors import ModelLoadError
from predictors.serving.openapi.examples import v1_example, v2_example
from predictors.serving.protocols import v2


@pytest.mark.parametrize(
    ("architecture", "task"),
    [
        ("BertForSequenceClassification", "text-classification"),
        ("RobertaForTokenClassification", "token-classification"),
        ("BertForMaskedLM", "fill-mask"),
        ("DistilBertForQuestionAnswering", "question-answering"),
        ("ViltForQuestionAnswering", "visual-question-answering"),
        ("BertModel", "sentence-embedding"),
        ("GPT2LMHeadModel", "text-generation"),
        ("LlamaForCausalLM", "text-generation"),
        ("T5ForConditionalGeneration", "text2text-generation"),
        ("ViTForImageClassification", "image-classification"),
        ("DetrForObjectDetection", "object-detection"),
        ("SegformerForSemanticSegmentation", "image-segmentation"),
        ("WhisperForConditionalGeneration", "automatic-speech-recognition"),
        ("Wav2Vec2ForCTC", "automatic-speech-recognition"),
    ],
)
def test_the_task_is_read_from_the_config(architecture: str, task: str) -> None:
    config = {"architectures": [architecture], "model_type": "x", "id2label": {"0": "a", "1": "b"}}
    assert infer_task(config, sentences=False) == task


def test_tasks_that_a_config_leaves_open() -> None:
    one = {"architectures": ["BertForSequenceClassification"], "id2label": {"0": "LABEL_0"}}
    assert infer_task(one, sentences=False) is Task.RERANK
    assert infer_task({**one, "problem_type": "regression"}, sentences=False) == (
        Task.TEXT_CLASSIFICATION
    )
    assert infer_task({"architectures": ["BertForMaskedLM"]}, sentences=True) is Task.EMBEDDING
    with pytest.raises(ModelLoadError, match="tells no task"):
        infer_task({"architectures": ["Odd"]}, sentences=False)


@pytest.mark.parametrize(
    ("name", "task"),
    [
        ("sequence_classification", Task.TEXT_CLASSIFICATION),
        ("ner", Task.TOKEN_CLASSIFICATION),
        ("text_embedding", Task.EMBEDDING),
        ("translation_en_to_fr", Task.TEXT2TEXT),
    ],
)
def test_other_names_of_tasks(name: str, task: Task) -> None:
    assert named_task(name) is task


CASES: list[tuple[str, dict[str, Any], tuple[str, ...]]] = [
    ("BertForSequenceClassification", {"num_labels": 3}, ()),
    ("BertForSequenceClassification", {"num_labels": 1}, ()),
    ("BertForTokenClassification", {"num_labels": 3}, ()),
    ("BertForMaskedLM", {}, ()),
    ("BertForQuestionAnswering", {}, ()),
    ("BertModel", {}, ()),
    (
        "BertForSequenceClassification",
        {"id2label": {0: "contra", 1: "n", 2: "entailment"}},
        ("--task=zero-shot",),
    ),
]


@pytest.mark.parametrize(("kind", "config", "flags"), CASES)
async def test_documented_examples_work(
    bert: Callable[..., Path],
    serve: Any,
    v1_ask: Any,
    v2_ask: Any,
    kind: str,
    config: dict[str, Any],
    flags: tuple[str, ...],
) -> None:
    model = serve(bert(kind, **config), *flags)
    assert await v1_ask(model, v1_example(model))
    inputs = {each["name"]: each["data"] for each in v2_example(model)["inputs"]}
    outputs = await v2_ask(model, inputs)
    assert set(outputs) == {spec.name for spec in model.outputs}
    for spec in model.outputs:
        assert outputs[spec.name]["datatype"] == spec.datatype
        assert len(outputs[spec.name]["shape"]) == len(spec.shape)


def test_metadata(bert: Callable[..., Path], serve: Any) -> None:
    model = serve(bert("BertModel"), "--model_revision=abc123", "--dtype=bfloat16")
    told = v2.model_metadata(model)
    assert told["platform"] == "huggingface"
    assert told["parameters"] == {
        "task": "sentence-embedding",
        "revision": "abc123",
        "max_length": 64,
        "truncation": True,
        "device": "cpu",
        "dtype": "bfloat16",
        "pooling": "mean",
        "normalize": True,
    }
    assert told["inputs"][0]["datatype"] == "BYTES"
    assert json.dumps(told)


def test_kserves_flags() -> None:
    argv = ["--model_name=x", "--task", "fill_mask", "--trust_remote_code", "--disable_lower_case"]
    options = Options.of([*argv, "--max_model_len=32", "--dtype=half"], {})
    assert options.trust_remote_code
    assert (options.task, options.max_length, options.dtype) == ("fill_mask", 32, "float16")
    assert options.lower_case is False
    assert Options.of([], {"STORAGE_URI": "hf://org/m:v1/sub"}).revision == "v1"


def test_a_model_id_is_a_place_to_fetch_from(tmp_path: Path) -> None:
    told, rest = parser().parse_known_args(
        ["--model_id=org/m", "--model_revision=v1", "--http_port=1"]
    )
    env = {"HF_HOME": str(tmp_path)}
    assert arguments(told, rest, env) == ["--http_port=1", "--model_dir=hf://org/m:v1"]
    cached = tmp_path / "hub" / "models--org--m"
    (cached / "refs").mkdir(parents=True)
    (cached / "refs" / "v1").write_text("c0ffee")
    (cached / "snapshots" / "c0ffee").mkdir(parents=True)
    (cached / "snapshots" / "c0ffee" / "config.json").write_text("{}")
    assert arguments(told, rest, env)[1] == f"--model_dir={cached / 'snapshots' / 'c0ffee'}"
    assert arguments(told, rest, {**env, "STORAGE_URI": "s3://b/m"}) == rest
