"""Fill-mask: what may stand in the place of the mask token."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar

import numpy as np
import torch

from predictors.huggingface.batching import Outcome
from predictors.huggingface.calls import Call, Fields, json_column, text_of
from predictors.huggingface.encoder import Encoder, Results, numbers
from predictors.huggingface.encoders.classification import softmax
from predictors.huggingface.text import Row, Source
from predictors.serving.errors import InvalidInputError, ModelLoadError
from predictors.serving.tensors import Array, Tensor, TensorSpec

__all__ = ["FillMask"]


class FillMask(Encoder):
    """For each text the best tokens of its mask, or a list for each of several masks."""

    fields: ClassVar[Fields] = Fields(("text",), parameters=("truncation", "top_k", "targets"))

    def prepared(self) -> None:
        """The mask token. Raises `ModelLoadError` where the tokenizer has none."""
        told = self.files.tokenizer.get("mask_token") or "[MASK]"
        found = self.tokenizer.special("mask_token", told) or self.tokenizer.special("", "<mask>")
        if found is None:
            raise ModelLoadError(
                f"{self.files.path}: the tokenizer has no mask token, which fill-mask needs."
            )
        self._mask, self._mask_id = found
        example = {"example": [f"Paris is the capital of {self._mask}."]}
        self.inputs = (TensorSpec("text", "BYTES", (-1,), example),)
        self.outputs = (
            TensorSpec(
                "predictions",
                "BYTES",
                (-1,),
                {"content_type": "json", "description": "score, token, token_str and sequence"},
            ),
        )

    async def answer(self, call: Call) -> tuple[Results, Outcome[Any]]:
        """Lists of ``{"score", "token", "token_str", "sequence"}``, best first."""
        truncate, count = call.switch("truncation"), call.count("top_k", 5)
        targets = self._targets(call.parameters.get("targets"))
        sources = [
            Source(text_of(item["text"], where), where)
            for item, where in zip(call.items, call.where, strict=True)
        ]
        encodings = await self.tokenizer.encode_all(sources, truncate)
        for encoding, where in zip(encodings, call.where, strict=True):
            if self._mask_id not in encoding.ids:
                raise InvalidInputError(f"{where} has no {self._mask} in it.")
        spent = await self.run(encodings)
        results: Results = [
            self._filled(encoding, logits, count, targets)
            for encoding, logits in zip(encodings, spent.results, strict=True)
        ]
        return results, spent

    def tensors(self, results: Results) -> list[Tensor]:
        """`predictions`, a document of JSON for each text."""
        return [Tensor("predictions", json_column(results), {"content_type": "json"})]

    def call(self, encodings: list[Row]) -> list[Any]:
        """As for every encoder; of the logits those of masks are kept."""
        logits = super().call(encodings)
        # A copy: the slice would keep the logits of the whole call alive.
        return [
            rows[np.array(each.ids) == self._mask_id].copy()
            for rows, each in zip(logits, encodings, strict=True)
        ]

    def reduce(self, output: Any, lengths: Sequence[int], mask: torch.Tensor | None) -> list[Any]:
        """The logits of each row's tokens."""
        return [rows[:length] for rows, length in zip(numbers(output.logits), lengths, strict=True)]

    def _filled(
        self, encoding: Row, logits: Array, count: int, targets: list[int] | None
    ) -> list[Any]:
        places = [i for i, token in enumerate(encoding.ids) if token == self._mask_id]
        told = []
        for place, scores in zip(places, softmax(logits), strict=True):
            among = np.arange(len(scores)) if targets is None else np.array(targets)
            order = np.argsort(-scores[among], kind="stable")[:count]
            row = []
            for token in among[order].tolist():
                tokens = list(encoding.ids)
                tokens[place] = token
                row.append(
                    {
                        "score": float(scores[token]),
                        "token": token,
                        "token_str": self.tokenizer.decode([token]),
                        "sequence": self.tokenizer.decode(tokens, skip_special=len(places) == 1),
                    }
                )
            told.append(row)
        return told[0] if len(told) == 1 else told

    def _targets(self, value: object) -> list[int] | None:
        """The tokens of words; of a word that is none, its first."""
        if value is None:
            return None
        words = [value] if isinstance(value, str) else value
        if not isinstance(words, list) or not words:
            raise InvalidInputError("parameters.targets must be a word or a list of words.")
        rust, found = self.tokenizer.rust, set()
        for index, word in enumerate(words):
            text = text_of(word, f"parameters.targets[{index}]")
            token = rust.token_to_id(text)
            if token is None:
                token = next(iter(rust.encode(text, add_special_tokens=False).ids), None)
            if token is None:
                raise InvalidInputError(f"parameters.targets[{index}] has no tokens.")
            found.add(token)
        return sorted(found)
