"""Zero-shot classification: labels the request brings, judged by a model of entailment."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from predictors.huggingface.batching import Outcome
from predictors.huggingface.calls import Call, Fields, text_column, text_of
from predictors.huggingface.encoder import Encoder, Results, numbers
from predictors.huggingface.encoders.classification import softmax
from predictors.huggingface.text import Cut, Source
from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.tensors import Tensor, TensorSpec

__all__ = ["ZeroShot"]


class ZeroShot(Encoder):
    """The labels of each text, best first, with their scores."""

    cut: ClassVar[Cut] = "only_first"
    fields: ClassVar[Fields] = Fields(
        ("text",),
        ("candidate_labels",),
        ("truncation", "candidate_labels", "hypothesis_template", "multi_label"),
        ("candidate_labels",),
    )

    def prepared(self) -> None:
        """Which output means entailment. Raises `ModelLoadError` where no label says so."""
        labels = self.files.labels
        found = [i for i, label in enumerate(labels) if label.lower().startswith("entail")]
        if not found:
            raise ModelLoadError(
                f"{self.files.path / 'config.json'}: none of the labels {', '.join(labels)} is "
                f"entailment, which {self.files.task} needs. Take a model of NLI."
            )
        self._entailment = found[0]
        self._contradiction = -1 if found[0] == 0 else 0
        self.inputs = (
            TensorSpec("text", "BYTES", (-1,), {"example": ["The match ended 2 to 1."]}),
            TensorSpec("candidate_labels", "BYTES", (-1,), {"example": ["sport", "politics"]}),
        )
        self.outputs = (
            TensorSpec("labels", "BYTES", (-1, -1)),
            TensorSpec("scores", "FP32", (-1, -1)),
        )

    async def answer(self, call: Call) -> tuple[Results, Outcome[Any]]:
        """``{"sequence", "labels", "scores"}`` for each item."""
        truncate, multi = call.switch("truncation"), bool(call.switch("multi_label"))
        template = call.parameters.get("hypothesis_template", "This example is {}.")
        if not isinstance(template, str) or "{}" not in template:
            raise InvalidInputError('parameters.hypothesis_template must have "{}" for the label.')
        sources: list[Source] = []
        asked = []
        for item, where in zip(call.items, call.where, strict=True):
            text = text_of(item["text"], where)
            own = item.get("candidate_labels", call.parameters.get("candidate_labels"))
            labels = _labels(own, where)
            asked.append((text, labels))
            sources += [Source(text, where, template.replace("{}", label)) for label in labels]
        spent = await self.run(await self.tokenizer.encode_all(sources, truncate))
        results: Results = []
        start = 0
        for text, labels in asked:
            logits = np.stack(spent.results[start : start + len(labels)])
            start += len(labels)
            if multi or len(labels) == 1:
                scores = softmax(logits[:, [self._contradiction, self._entailment]])[:, 1]
            else:
                scores = softmax(logits[:, self._entailment])
            order = scores.argsort()[::-1].tolist()
            results.append(
                {
                    "sequence": text,
                    "labels": [labels[i] for i in order],
                    "scores": [float(scores[i]) for i in order],
                }
            )
        return results, spent

    def tensors(self, results: Results) -> list[Tensor]:
        """`labels` and `scores`, a row for each text."""
        scores = np.array([each["scores"] for each in results], np.float32)
        labels = text_column([each["labels"] for each in results])
        return [Tensor("labels", labels), Tensor("scores", scores)]

    def reduce(self, output: Any, lengths: Sequence[int], mask: torch.Tensor | None) -> list[Any]:
        """The logits of each pair."""
        return list(numbers(output.logits))


def _labels(value: object, where: str) -> list[str]:
    """The labels of a list, or of one text with commas."""
    if isinstance(value, str):
        value = value.split(",")
    if not isinstance(value, list) or not value:
        raise InvalidInputError(
            f'{where} has no labels to choose from. Give them, e.g. "parameters": '
            '{"candidate_labels": ["sport", "politics"]}, or as an input of that name.'
        )
    return [text_of(label, f"{where}.candidate_labels").strip() for label in value]
