"""Token classification: named entities and their like, token by token or grouped."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, ClassVar, Final, NamedTuple

import numpy as np
import torch
from tokenizers import Encoding

from predictors.huggingface.batching import Outcome
from predictors.huggingface.calls import Call, Fields, json_column, text_of
from predictors.huggingface.encoder import Encoder, Results, numbers
from predictors.huggingface.encoders.classification import check_labels, softmax
from predictors.huggingface.text import Source
from predictors.serving.errors import InvalidInputError
from predictors.serving.tensors import Array, Tensor, TensorSpec

__all__ = ["TokenClassification"]

_STRATEGIES: Final = ("none", "simple", "first", "average", "max")


class _Token(NamedTuple):
    """A token of the text, and the scores of its labels; `joins` where it goes on with a word."""

    word: str
    scores: Array
    start: int
    end: int
    place: int
    joins: bool


class _Word(NamedTuple):
    """What was found at a token or a word."""

    entity: str
    score: float
    word: str
    start: int
    end: int


class TokenClassification(Encoder):
    """The entities of each text; those labelled ``O`` are left out unless `ignore_labels` says."""

    fields: ClassVar[Fields] = Fields(
        ("text",), parameters=("truncation", "aggregation_strategy", "ignore_labels")
    )

    def prepared(self) -> None:
        """Labels, and whether the tokenizer marks the tokens that go on with a word."""
        self._labels = self.files.labels
        check_labels(self, len(self._labels))
        self._marks = bool(getattr(self.tokenizer.rust.model, "continuing_subword_prefix", None))
        unknown = self.files.tokenizer.get("unk_token")
        found = self.tokenizer.special("unk_token", unknown)
        self._unknown = found[1] if found else -1
        self.inputs = (TensorSpec("text", "BYTES", (-1,), {"example": ["Ada lives in London."]}),)
        self.outputs = (
            TensorSpec(
                "entities",
                "BYTES",
                (-1,),
                {
                    "content_type": "json",
                    "description": "entity, score, word, start and end of each",
                    "labels": self._labels,
                },
            ),
        )

    async def answer(self, call: Call) -> tuple[Results, Outcome[Any]]:
        """The entities of each text, in the pipeline's form."""
        truncate = call.switch("truncation")
        strategy = call.choice("aggregation_strategy", _STRATEGIES, "none")
        ignored = call.parameters.get("ignore_labels", ["O"])
        if not isinstance(ignored, list):
            raise InvalidInputError("parameters.ignore_labels must be a list of labels.")
        texts = [text_of(i["text"], w) for i, w in zip(call.items, call.where, strict=True)]
        sources = list(map(Source, texts, call.where))
        encodings = await self.tokenizer.encode_all(sources, truncate)
        spent = await self.run(encodings)
        results: Results = []
        for text, encoding, logits in zip(texts, encodings, spent.results, strict=True):
            tokens = self._tokens(text, encoding, softmax(logits))
            found = self._single(tokens) if strategy == "none" else self._groups(tokens, strategy)
            label = "entity" if strategy == "none" else "entity_group"
            results.append([each for each in found if each[label] not in ignored])
        return results, spent

    def tensors(self, results: Results) -> list[Tensor]:
        """`entities`, a document of JSON for each text."""
        return [Tensor("entities", json_column(results), {"content_type": "json"})]

    def reduce(self, output: Any, lengths: Sequence[int], mask: torch.Tensor | None) -> list[Any]:
        """The logits of each row's tokens."""
        return [
            rows[:length].copy()
            for rows, length in zip(numbers(output.logits), lengths, strict=True)
        ]

    def _tokens(self, text: str, encoding: Encoding, scores: Array) -> list[_Token]:
        tokens = []
        special, offsets = encoding.special_tokens_mask, encoding.offsets
        for index, (word, number) in enumerate(zip(encoding.tokens, encoding.ids, strict=True)):
            if special[index]:
                continue
            start, end = offsets[index]
            piece = text[start:end]
            if number == self._unknown:
                word, joins = piece, False
            elif self._marks:
                joins = len(word) != len(piece)
            else:
                # The tokenizer knows no words: one begins behind a space.
                joins = start > 0 and " " not in text[start - 1 : start + 1]
            tokens.append(_Token(word, scores[index], start, end, index, joins))
        return tokens

    def _single(self, tokens: Sequence[_Token]) -> list[dict[str, Any]]:
        return [
            {
                "entity": self._labels[int(token.scores.argmax())],
                "score": float(token.scores.max()),
                "index": token.place,
                "word": token.word,
                "start": token.start,
                "end": token.end,
            }
            for token in tokens
        ]

    def _groups(self, tokens: Sequence[_Token], strategy: str) -> list[dict[str, Any]]:
        """Neighbours of one label as one entity; a ``B-`` begins another."""
        words = [self._word([token], "first", joined=False) for token in tokens]
        if strategy != "simple":
            words = [self._word(pieces, strategy, joined=True) for pieces in _by_word(tokens)]
        groups: list[list[_Word]] = []
        for word in words:
            begins, tag = _tag(word.entity)
            if groups and not begins and tag == _tag(groups[-1][-1].entity)[1]:
                groups[-1].append(word)
            else:
                groups.append([word])
        return [self._group(group) for group in groups]

    def _group(self, words: Sequence[_Word]) -> dict[str, Any]:
        return {
            "entity_group": words[0].entity.split("-", 1)[-1],
            "score": float(np.mean([word.score for word in words])),
            "word": self._joined([word.word for word in words]),
            "start": words[0].start,
            "end": words[-1].end,
        }

    def _word(self, pieces: Sequence[_Token], strategy: str, *, joined: bool) -> _Word:
        scores = pieces[0].scores
        if strategy == "max":
            scores = max(pieces, key=lambda piece: float(piece.scores.max())).scores
        elif strategy == "average":
            scores = np.mean([piece.scores for piece in pieces], axis=0)
        best = int(scores.argmax())
        text = self._joined([piece.word for piece in pieces]) if joined else pieces[0].word
        label = self._labels[best]
        return _Word(label, float(scores[best]), text, pieces[0].start, pieces[-1].end)

    def _joined(self, words: list[str]) -> str:
        decoder = self.tokenizer.rust.decoder
        return str(decoder.decode(words)) if decoder is not None else " ".join(words)


def _by_word(tokens: Sequence[_Token]) -> list[list[_Token]]:
    words: list[list[_Token]] = []
    for token in tokens:
        if words and token.joins:
            words[-1].append(token)
        else:
            words.append([token])
    return words


def _tag(entity: str) -> tuple[bool, str]:
    """Whether a label begins an entity, and of what kind it is."""
    if entity.startswith(("B-", "I-")):
        return entity.startswith("B-"), entity[2:]
    return False, entity
