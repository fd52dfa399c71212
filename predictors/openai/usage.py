"""Tokens that models read, counted by vLLM's name: of texts to go on with, embed or rank."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Final
from weakref import WeakKeyDictionary

from predictors.serving.metrics.custom import expose
from predictors.serving.metrics.histogram import head, labelled
from predictors.serving.model import Model

__all__ = ["count_read"]

_NAME: Final = "vllm:prompt_tokens_total"

_read: Final[WeakKeyDictionary[Model, int]] = WeakKeyDictionary()


def count_read(model: Model, tokens: int) -> None:
    """Count tokens that `model` was given; from then on they are in ``/metrics``."""
    _read[model] = _read.get(model, 0) + tokens
    expose("usage", _lines)


def _lines() -> Iterator[str]:
    read: Counter[str] = Counter()
    for model, tokens in list(_read.items()):
        read[labelled({"model_name": model.name})] += tokens
    if read:
        yield from head(_NAME, "counter", "Tokens of prompts, and of texts to embed or rank.")
    for labels, tokens in read.items():
        yield f"{_NAME}{{{labels}}} {tokens}"
