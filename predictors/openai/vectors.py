"""Embeddings and rerank."""

from __future__ import annotations

import asyncio
from base64 import b64encode
from collections.abc import Mapping, Sequence
from typing import Any, Final

import numpy as np
import orjson

from predictors.openai.abilities import Embeds, Prompt, Reranks
from predictors.openai.asking import Target, refusals, unable
from predictors.openai.errors import FieldError
from predictors.openai.fields import Fields, are_tokens
from predictors.openai.usage import count_read
from predictors.serving.counting import counted
from predictors.serving.routes import HttpAnswer

__all__ = ["embeddings", "rerank"]

_MOST_TEXTS: Final = 2048
_LITTLE: Final = np.dtype("<f4")


async def embeddings(target: Target, body: Mapping[str, Any], deadline: float | None) -> HttpAnswer:
    """The answer to ``embeddings``. Raises `RequestError`."""
    model = target.endpoint.model
    with refusals(target.endpoint):
        if not isinstance(model, Embeds):
            raise unable(model, "makes no embeddings")
        fields = Fields(body)
        texts = _inputs(fields.get("input"))
        width = fields.whole("dimensions", 1)
        form = fields.text("encoding_format", "float")
        if form not in ("float", "base64"):
            raise FieldError("encoding_format", "it must be float or base64.")
    with counted(target.endpoint):
        async with asyncio.timeout_at(deadline):
            rows, tokens = await model.embed(texts, width)
    count_read(target.endpoint.model, tokens)
    rows = np.ascontiguousarray(rows, dtype=_LITTLE)
    data = [
        {
            "object": "embedding",
            "index": index,
            "embedding": row if form == "float" else b64encode(row.tobytes()).decode(),
        }
        for index, row in enumerate(rows)
    ]
    answer = {
        "object": "list",
        "data": data,
        "model": body["model"],
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return HttpAnswer(body=orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY))


async def rerank(
    target: Target, body: Mapping[str, Any], deadline: float | None, answer_id: str
) -> HttpAnswer:
    """The answer to ``rerank``: documents by falling score. Raises `RequestError`."""
    model = target.endpoint.model
    with refusals(target.endpoint):
        if not isinstance(model, Reranks):
            raise unable(model, "does not rerank")
        fields = Fields(body)
        query = fields.text("query")
        documents = _documents(fields.get("documents"))
        most = fields.whole("top_n", 1) or len(documents)
        shown = body.get("return_documents") is None or fields.flag("return_documents")
    with counted(target.endpoint):
        async with asyncio.timeout_at(deadline):
            scores, tokens = await model.rerank(query, documents)
    count_read(target.endpoint.model, tokens)
    order = sorted(range(len(documents)), key=lambda index: -scores[index])[:most]
    results = [
        {
            "index": index,
            "relevance_score": float(scores[index]),
            **({"document": {"text": documents[index]}} if shown else {}),
        }
        for index in order
    ]
    answer = {
        "id": f"rerank-{answer_id}",
        "object": "list",
        "model": body["model"],
        "results": results,
        "usage": {"prompt_tokens": tokens, "total_tokens": tokens},
    }
    return HttpAnswer(body=orjson.dumps(answer))


def _documents(value: object) -> list[str]:
    """Texts, or Cohere's objects with one."""
    if isinstance(value, list):
        value = [each.get("text") if isinstance(each, dict) else each for each in value]
    return _texts(value, "documents")


def _inputs(value: object) -> list[Prompt]:
    """A text, texts, tokens, or lists of tokens."""
    if not isinstance(value, list) or not value or isinstance(value[0], str):
        return list(_texts(value, "input"))
    if are_tokens(value):
        return [value]
    _check_count(value, "input")
    for index, tokens in enumerate(value):
        if not isinstance(tokens, list) or not tokens or not are_tokens(tokens):
            raise FieldError(f"input[{index}]", "a list of tokens is expected, as before it.")
    return list(value)


def _check_count(texts: Sequence[object], name: str) -> None:
    if len(texts) > _MOST_TEXTS:
        raise FieldError(name, f"it has {len(texts)} texts; at most {_MOST_TEXTS} are taken.")


def _texts(value: object, name: str) -> list[str]:
    texts = [value] if isinstance(value, str) else value
    if not isinstance(texts, list) or not texts:
        raise FieldError(name, "a text, or a list of texts, is expected.")
    _check_count(texts, name)
    for index, text in enumerate(texts):
        if not isinstance(text, str) or not text:
            raise FieldError(f"{name}[{index}]", "a text that is not empty is expected.")
    return texts
