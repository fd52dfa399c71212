"""Extractive question answering, against a search through all spans."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from predictors.serving.errors import InvalidInputError

QUESTION = "where is ada ?"
CONTEXT = "ada lives in london . the tower was tall ."


@pytest.fixture
def model(bert: Callable[..., Path], serve: Any) -> Any:
    return serve(bert("BertForQuestionAnswering"))


def softmax(values: Any) -> Any:
    powers = np.exp(values - values.max())
    return powers / powers.sum()


async def test_the_best_span_is_found(model: Any, v1_ask: Any, v2_ask: Any) -> None:
    encoding = model.tokenizer.encode(QUESTION, CONTEXT)
    ids, types = torch.tensor([encoding.ids]), torch.tensor([encoding.type_ids])
    with torch.inference_mode():
        output = model.module(input_ids=ids, token_type_ids=types)
    open_ = [n == 0 or place == 1 for n, place in enumerate(encoding.sequence_ids)]
    starts, ends = (
        softmax(np.where(open_, logits[0].numpy(), -1e4))
        for logits in (output.start_logits, output.end_logits)
    )
    inside = [n for n, place in enumerate(encoding.sequence_ids) if place == 1]
    spans = {(a, b): starts[a] * ends[b] for a in inside for b in inside if a <= b < a + 15}
    (begin, end), score = max(spans.items(), key=lambda each: each[1])
    text = CONTEXT[encoding.offsets[begin][0] : encoding.offsets[end][1]]
    body = {"instances": [{"question": QUESTION, "context": CONTEXT}]}
    [got] = await v1_ask(model, body)
    assert got["answer"] == text
    assert CONTEXT[got["start"] : got["end"]] == text
    assert got["score"] == pytest.approx(score, abs=1e-5)
    outputs = await v2_ask(model, {"question": [QUESTION], "context": [CONTEXT]})
    assert outputs["answer"]["data"] == [text]
    assert outputs["start"]["datatype"] == "INT64"
    [best] = await v1_ask(model, {**body, "parameters": {"top_k": 3}})
    assert len(best) == 3
    assert best[0] == got


async def test_a_context_beyond_the_model_is_read_in_windows(
    bert: Callable[..., Path], serve: Any, v1_ask: Any
) -> None:
    model = serve(bert("BertForQuestionAnswering"))
    context = "the tower was tall . " * 40 + CONTEXT
    [got] = await v1_ask(model, {"instances": [{"question": QUESTION, "context": context}]})
    assert context[got["start"] : got["end"]] == got["answer"] != ""


async def test_a_question_that_leaves_no_room_for_windows_is_refused(
    model: Any, v1_ask: Any
) -> None:
    question = "where is ada " * 14
    with pytest.raises(InvalidInputError, match=r"\[0\].question has more than 39 tokens"):
        await v1_ask(model, {"instances": [{"question": question, "context": CONTEXT * 9}]})
    short = {"question": question, "context": "ada lives in london ."}
    assert await v1_ask(model, {"instances": [short]})
    with pytest.raises(InvalidInputError, match=r"\[0\].question has more than 39 tokens"):
        await v1_ask(model, {"instances": [{**short, "question": question * 9}]})


async def test_answers_may_be_as_long_as_the_context(model: Any, v1_ask: Any) -> None:
    body = {
        "instances": [{"question": QUESTION, "context": CONTEXT}],
        "parameters": {"max_answer_len": 10_000, "top_k": 500},
    }
    [answers] = await v1_ask(model, body)
    assert max((each["answer"] for each in answers), key=len) == CONTEXT
    scores = [each["score"] for each in answers]
    assert scores == sorted(scores, reverse=True)
