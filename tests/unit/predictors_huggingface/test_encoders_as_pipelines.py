"""Encoders answer what transformers' pipelines answer for the same model."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from transformers import pipeline

TEXTS = ["the weather is fine .", "ada lives in london", "bad", "what a tall tower it was !"]


def close(got: Any, want: Any) -> None:
    """The same, but for the last digits of numbers."""
    if isinstance(want, dict):
        assert set(got) == set(want)
        for key, value in want.items():
            close(got[key], value)
    elif isinstance(want, list | tuple):
        assert len(got) == len(want)
        for one, other in zip(got, want, strict=True):
            close(one, other)
    elif isinstance(want, str | int):
        assert got == want
    else:
        assert got == pytest.approx(float(want), abs=2e-5)


@pytest.mark.parametrize("parameters", [{}, {"top_k": 2}, {"function_to_apply": "sigmoid"}])
async def test_text_classification(
    bert: Callable[..., Path], serve: Any, v1_ask: Any, parameters: dict[str, Any]
) -> None:
    folder = bert("BertForSequenceClassification", num_labels=3)
    want = pipeline("text-classification", model=str(folder))(TEXTS, **parameters)
    got = await v1_ask(serve(folder), {"instances": TEXTS, "parameters": parameters})
    close(got, want)


async def test_pairs_are_classified(bert: Callable[..., Path], serve: Any, v1_ask: Any) -> None:
    folder = bert("BertForSequenceClassification", num_labels=3)
    pair = {"text": TEXTS[0], "text_pair": TEXTS[1]}
    want = pipeline("text-classification", model=str(folder))(pair)
    close(await v1_ask(serve(folder), {"instances": [pair]}), [want])


LABELS = {0: "O", 1: "B-PER", 2: "I-PER", 3: "B-LOC"}


@pytest.mark.filterwarnings("ignore:Tokenizer does not support:UserWarning")
@pytest.mark.parametrize("strategy", ["none", "simple", "first", "average", "max"])
async def test_token_classification(
    bert: Callable[..., Path], serve: Any, v1_ask: Any, strategy: str
) -> None:
    folder = bert("BertForTokenClassification", id2label=LABELS)
    texts = ["adas weatherly towers , London !", *TEXTS, "an unknown word"]
    parameters = {"aggregation_strategy": strategy}
    want = [pipeline("token-classification", model=str(folder))(t, **parameters) for t in texts]
    got = await v1_ask(serve(folder), {"instances": texts, "parameters": parameters})
    close(got, want)


@pytest.mark.parametrize(
    "parameters", [{}, {"top_k": 3}, {"targets": ["paris", "london"], "top_k": 2}]
)
async def test_fill_mask(
    bert: Callable[..., Path], serve: Any, v1_ask: Any, parameters: dict[str, Any]
) -> None:
    folder = bert("BertForMaskedLM")
    texts = ["[MASK] is the capital .", "what a [MASK] [MASK] day"]
    fill = pipeline("fill-mask", model=str(folder))
    want = [fill(text, **parameters) for text in texts]
    got = await v1_ask(serve(folder), {"instances": texts, "parameters": parameters})
    close(got, want)


@pytest.mark.parametrize("parameters", [{}, {"multi_label": True}])
async def test_zero_shot(
    bert: Callable[..., Path], serve: Any, v1_ask: Any, parameters: dict[str, Any]
) -> None:
    folder = bert("BertForSequenceClassification", id2label={0: "contra", 1: "n", 2: "entailment"})
    labels = ["sport", "politics", "rain"]
    judge = pipeline("zero-shot-classification", model=str(folder))
    want = [judge(text, candidate_labels=labels, **parameters) for text in TEXTS[:2]]
    model = serve(folder, "--task=zero-shot-classification")
    body = {"instances": TEXTS[:2], "parameters": {"candidate_labels": labels, **parameters}}
    close(await v1_ask(model, body), want)


@pytest.mark.parametrize("kind", ["DistilBertModel", "RobertaModel", "MPNetModel"])
def test_limits_of_families(kind: str) -> None:
    import transformers

    from predictors.huggingface.config import ModelFolder
    from predictors.huggingface.task import Task

    config = getattr(transformers, kind.replace("Model", "Config"))()
    told = {**config.to_dict(), "max_position_embeddings": 514}
    limit = ModelFolder(Path("."), Task.EMBEDDING, told).max_length(None)
    assert limit == (514 if kind == "DistilBertModel" else 512)
