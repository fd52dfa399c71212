"""Text classification: a label and its score for each text, or pair of texts."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
import torch

from predictors.huggingface.batching import Outcome
from predictors.huggingface.calls import Call, Fields, text_column, text_of
from predictors.huggingface.encoder import Encoder, Results, numbers
from predictors.huggingface.text import Source
from predictors.serving.errors import ModelLoadError
from predictors.serving.tensors import Array, Tensor, TensorSpec

__all__ = ["TextClassification", "check_labels", "sigmoid", "softmax"]

_FUNCTIONS: Final = ("sigmoid", "softmax", "none")


class TextClassification(Encoder):
    """The best label, or with `top_k` the best ones, best first."""

    fields: ClassVar[Fields] = Fields(
        ("text",), ("text_pair",), ("truncation", "top_k", "function_to_apply")
    )

    def prepared(self) -> None:
        """Labels and the function that makes scores of logits, as the config has them."""
        self._labels = self.files.labels
        check_labels(self, len(self._labels))
        self._function = self._default_function()
        self.inputs = (TensorSpec("text", "BYTES", (-1,), {"example": ["What a fine day."]}),)
        self.outputs = (
            TensorSpec("label", "BYTES", (-1,), {"categories": self._labels}),
            TensorSpec("score", "FP32", (-1,)),
        )

    async def answer(self, call: Call) -> tuple[Results, Outcome[Any]]:
        """``{"label", "score"}`` for each item; lists of them with `top_k`."""
        truncate = call.switch("truncation")
        function = call.choice("function_to_apply", _FUNCTIONS, self._function)
        many = self.options.return_probabilities or call.parameters.get("top_k") is not None
        count = call.count("top_k", len(self._labels)) if many else 1
        sources = []
        for item, where in zip(call.items, call.where, strict=True):
            text, pair = text_of(item["text"], where), item.get("text_pair")
            pair = text_of(pair, f"{where}.text_pair") if pair is not None else None
            sources.append(Source(text, where, pair))
        spent = await self.run(await self.tokenizer.encode_all(sources, truncate))
        results: Results = []
        for logits in spent.results:
            scores = _applied(function, logits)
            order = np.argsort(-scores, kind="stable")[:count].tolist()
            told = [{"label": self._labels[i], "score": float(scores[i])} for i in order]
            results.append(told if many else told[0])
        return results, spent

    def tensors(self, results: Results) -> list[Tensor]:
        """`label` and `score`, of shape (n,), or (n, k) with `top_k`."""
        many = [each if isinstance(each, list) else [each] for each in results]
        labels = text_column([[one["label"] for one in each] for each in many])
        scores = np.array([[one["score"] for one in each] for each in many], np.float32)
        if not isinstance(results[0], list):
            labels, scores = labels[:, 0], scores[:, 0]
        return [Tensor("label", labels), Tensor("score", scores)]

    def reduce(self, output: Any, lengths: Sequence[int], mask: torch.Tensor | None) -> list[Any]:
        """The logits of each row."""
        return list(numbers(output.logits))

    def _default_function(self) -> str:
        kind = self.files.config.get("problem_type")
        if kind == "regression":
            return "none"
        if kind == "multi_label_classification" or len(self._labels) == 1:
            return "sigmoid"
        return "softmax"


def check_labels(model: Encoder, count: int) -> None:
    """Raises `ModelLoadError` where the module has another number of outputs."""
    has = int(getattr(model.module.config, "num_labels", count))
    if has != count:
        raise ModelLoadError(
            f"{model.files.path / 'config.json'}: id2label names {count} labels, "
            f"the model has {has}."
        )


def softmax(values: Array) -> Array:
    """Along the last axis."""
    powers = np.exp(values - values.max(axis=-1, keepdims=True))
    scores: Array = powers / powers.sum(axis=-1, keepdims=True)
    return scores


def sigmoid(values: Array) -> Array:
    """Of each value."""
    scores: Array = 1.0 / (1.0 + np.exp(-values))
    return scores


def _applied(function: str, logits: Array) -> Array:
    if function == "none":
        return logits
    return sigmoid(logits) if function == "sigmoid" else softmax(logits)
