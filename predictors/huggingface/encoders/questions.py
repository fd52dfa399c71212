"""Extractive question answering: the part of a context that answers a question."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from itertools import islice
from typing import Any, ClassVar, Final

import numpy as np
import torch
from tokenizers import Encoding

from predictors.huggingface.batching import Outcome
from predictors.huggingface.calls import Call, Fields, text_column, text_of
from predictors.huggingface.encoder import Encoder, Results, numbers
from predictors.huggingface.encoders.classification import softmax
from predictors.huggingface.text import Cut, Source
from predictors.serving.tensors import Array, Tensor, TensorSpec

__all__ = ["QuestionAnswering"]

_WINDOW: Final = 384
"""Tokens of a context that are read at a time, the question's included."""
_STRIDE: Final = 128
_FEW_WINDOWS: Final = 8
"""Whose spans are sorted within some milliseconds."""
_OUTPUTS: Final = ("answer", "score", "start", "end")


class QuestionAnswering(Encoder):
    """The best answer of each context; long ones are read in windows that overlap."""

    cut: ClassVar[Cut] = "only_second"
    stride: ClassVar[int] = _STRIDE
    most_tokens: ClassVar[int] = _WINDOW
    fields: ClassVar[Fields] = Fields(
        ("question", "context"), parameters=("top_k", "max_answer_len", "handle_impossible_answer")
    )

    def prepared(self) -> None:
        """The signature."""
        self.inputs = (
            TensorSpec("question", "BYTES", (-1,), {"example": ["Where does Ada live?"]}),
            TensorSpec("context", "BYTES", (-1,), {"example": ["Ada lives in London."]}),
        )
        self.outputs = (
            TensorSpec("answer", "BYTES", (-1,)),
            TensorSpec("score", "FP32", (-1,)),
            TensorSpec("start", "INT64", (-1,)),
            TensorSpec("end", "INT64", (-1,)),
        )

    async def answer(self, call: Call) -> tuple[Results, Outcome[Any]]:
        """``{"score", "start", "end", "answer"}`` for each item; lists of them with `top_k`."""
        count, longest = call.count("top_k", 1), call.count("max_answer_len", 15)
        impossible = bool(call.switch("handle_impossible_answer"))
        sources, contexts = [], []
        for item, where in zip(call.items, call.where, strict=True):
            question = text_of(item["question"], f"{where}.question")
            context = text_of(item["context"], f"{where}.context")
            sources.append(Source(question, f"{where}.question", context))
            contexts.append(context)
        firsts = await self.tokenizer.encode_all(sources)
        windows = [[first, *first.overflowing] for first in firsts]
        spent = await self.run([each for own in windows for each in own])

        def answers() -> Results:
            spans, told = iter(spent.results), []
            for own, context in zip(windows, contexts, strict=True):
                logits = list(islice(spans, len(own)))
                told.append(_answers(own, logits, context, count, longest, impossible=impossible))
            return told

        few = len(spent.results) <= _FEW_WINDOWS
        found = answers() if few else await asyncio.to_thread(answers)
        return found if "top_k" in call.parameters else [each[0] for each in found], spent

    def tensors(self, results: Results) -> list[Tensor]:
        """`answer`, `score`, `start` and `end`; with `top_k` the best answer's come first."""
        best = [each if isinstance(each, dict) else each[0] for each in results]
        return [
            Tensor("answer", text_column([each["answer"] for each in best])),
            Tensor("score", np.array([each["score"] for each in best], np.float32)),
            Tensor("start", np.array([each["start"] for each in best], np.int64)),
            Tensor("end", np.array([each["end"] for each in best], np.int64)),
        ]

    def reduce(self, output: Any, lengths: Sequence[int], mask: torch.Tensor | None) -> list[Any]:
        """The logits of starts and ends of each row's tokens, of shape (2, tokens)."""
        starts, ends = numbers(output.start_logits), numbers(output.end_logits)
        return [
            np.stack([start[:length], end[:length]])
            for start, end, length in zip(starts, ends, lengths, strict=True)
        ]


def _answers(
    windows: Sequence[Encoding],
    logits: Sequence[Array],
    context: str,
    count: int,
    longest: int,
    *,
    impossible: bool,
) -> list[dict[str, Any]]:
    """The best spans of all windows, of whole words, best first."""
    found: dict[tuple[int, int], float] = {}
    nothing = 1.0
    for window, (starts, ends) in zip(windows, logits, strict=True):
        inside = np.array([number == 1 for number in window.sequence_ids])
        # The first token stands for no answer, and takes part in the shares.
        open_ = inside.copy()
        open_[0] = True
        first = softmax(np.where(open_, starts, -1e4))
        last = softmax(np.where(open_, ends, -1e4))
        nothing = min(nothing, float(first[0] * last[0]))
        first, last = np.where(inside, first, 0.0), np.where(inside, last, 0.0)
        scores = _spans(first, last, longest)
        for flat in np.argsort(-scores, axis=None)[: count * 4]:
            further, begin = divmod(int(flat), scores.shape[1])
            score = float(scores[further, begin])
            if score > 0:
                span = _words(window, begin, begin + further)
                found[span] = max(found.get(span, 0.0), score)
    told: list[dict[str, Any]] = [
        {"score": score, "start": start, "end": end, "answer": context[start:end]}
        for (start, end), score in found.items()
    ]
    if impossible or not told:
        told.append({"score": nothing, "start": 0, "end": 0, "answer": ""})
    return sorted(told, key=lambda each: -float(each["score"]))[:count]


def _spans(first: Array, last: Array, longest: int) -> Array:
    """The score of each span, ``[tokens beyond its first, its first token]``."""
    size = len(first)
    scores: Array = np.zeros((min(longest, size), size), np.float32)
    for further in range(len(scores)):
        scores[further, : size - further] = first[: size - further] * last[further:]
    return scores


def _words(window: Encoding, begin: int, end: int) -> tuple[int, int]:
    """The characters of the words that tokens `begin` to `end` belong to."""
    first, last = window.token_to_word(begin), window.token_to_word(end)
    if first is not None and last is not None:
        left, right = window.word_to_chars(first, 1), window.word_to_chars(last, 1)
        if left is not None and right is not None:
            return left[0], right[1]
    return window.offsets[begin][0], window.offsets[end][1]
