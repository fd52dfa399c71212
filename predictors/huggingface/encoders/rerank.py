"""Rerank: how well documents answer a query, by a cross-encoder."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final

import numpy as np
import torch

from predictors.huggingface.batching import Outcome
from predictors.huggingface.calls import PROTOCOL, Call, Fields, check_parameters, text_of
from predictors.huggingface.encoder import Encoder, Results, numbers
from predictors.huggingface.encoders.classification import sigmoid
from predictors.huggingface.text import Source
from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.tensors import Tensor, TensorSpec

__all__ = ["Rerank"]


_SCORED: Final = Fields(("query", "documents"), parameters=("truncation", "raw_scores"))
"""Of V2, whose answer is a score for each document, in their order."""


class Rerank(Encoder):
    """Scores from 0 to 1; with `raw_scores` the model's own."""

    fields: ClassVar[Fields] = Fields(
        ("query", "documents"), parameters=("truncation", "raw_scores", "top_n")
    )

    def prepared(self) -> None:
        """Raises `ModelLoadError` for a model of several labels."""
        has = int(self.module.config.num_labels)  # type: ignore[arg-type, union-attr]
        if has != 1:
            raise ModelLoadError(
                f"{self.files.path}: the model has {has} labels; rerank needs a cross-encoder, "
                "which has one."
            )
        self.inputs = (
            TensorSpec("query", "BYTES", (1,), {"example": ["How tall is the tower?"]}),
            TensorSpec(
                "documents", "BYTES", (-1,), {"example": ["It is 300 m tall.", "It rains."]}
            ),
        )
        self.outputs = (TensorSpec("score", "FP32", (-1,)),)

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """As for every encoder; the rows of V2 are documents. Raises `RequestError`."""
        if request.payload is not None:
            return await super().infer(request)
        named = {tensor.name: tensor.array.ravel().tolist() for tensor in request.inputs}
        parameters = {k: v for k, v in request.parameters.items() if k not in PROTOCOL}
        check_parameters(parameters, _SCORED)
        item = {"query": named["query"][0], "documents": named["documents"]}
        call = Call([item], ["inputs"], parameters)
        [ranked], spent = await self.answer(call)
        scores = np.empty(len(ranked), np.float32)
        for each in ranked:
            scores[each["index"]] = each["score"]
        outputs = [Tensor("score", scores)]
        return InferenceResponse(
            outputs, queue=spent.queue, predict=spent.run, batch_rows=spent.rows
        )

    async def answer(self, call: Call) -> tuple[Results, Outcome[Any]]:
        """``{"index", "score"}`` of each item's documents, best first."""
        truncate, raw = call.switch("truncation"), bool(call.switch("raw_scores"))
        sources: list[Source] = []
        sizes = []
        for item, where in zip(call.items, call.where, strict=True):
            query = text_of(item["query"], f"{where}.query")
            documents = item["documents"]
            documents = [documents] if isinstance(documents, str) else documents
            if not isinstance(documents, list) or not documents:
                raise InvalidInputError(f"{where}.documents must be a list of texts.")
            sizes.append(len(documents))
            sources += _sources(query, documents, f"{where}.documents")
        spent = await self.run(await self.tokenizer.encode_all(sources, truncate))
        logits = np.array(spent.results, np.float32)
        scores = logits if raw else sigmoid(logits)
        results: Results = []
        start = 0
        for size in sizes:
            own = scores[start : start + size]
            start += size
            order = np.argsort(-own, kind="stable")[: call.count("top_n", size)].tolist()
            results.append([{"index": index, "score": float(own[index])} for index in order])
        return results, spent

    async def rerank(self, query: str, documents: Sequence[str]) -> tuple[Sequence[float], int]:
        """A score for each document, and the tokens read: the ability of ``rerank``."""
        text_of(query, "query")
        encodings = await self.tokenizer.encode_all(_sources(query, documents, "documents"))
        spent = await self.run(encodings)
        scores = sigmoid(np.array(spent.results, np.float32))
        return [float(score) for score in scores], sum(map(len, encodings))

    def tensors(self, results: Results) -> list[Tensor]:
        """`score` of the one item's documents, in their order."""
        [ranked] = results
        return [Tensor("score", np.array([each["score"] for each in ranked], np.float32))]

    def reduce(self, output: Any, lengths: Sequence[int], mask: torch.Tensor | None) -> list[Any]:
        """The one logit of each pair."""
        return [float(row[0]) for row in numbers(output.logits)]


def _sources(query: str, documents: Sequence[object], where: str) -> list[Source]:
    places = [f"{where}[{index}]" for index in range(len(documents))]
    return [
        Source(query, at, text_of(document, at))
        for document, at in zip(documents, places, strict=True)
    ]
