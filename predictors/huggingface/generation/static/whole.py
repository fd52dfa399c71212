"""A step by the model's own code, over memory that stays.

Holds for models whose attention is over all positions and which take a mask and positions as they
are given; `trial` shows whether one does.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicLayer

from predictors.huggingface.generation.static.slots import Step

__all__ = ["WholeStep"]


class _Layer(DynamicLayer):  # type: ignore[no-untyped-call]
    """One layer of a step's memory: it has its size whatever was written."""

    def __init__(self, step: Step, layer: int) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.is_initialized = True
        self._step = step
        self._layer = layer

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        step, layer = self._step, self._layer
        step.write(layer, key_states[:, :, 0], value_states[:, :, 0])
        return step.keys[layer], step.values[layer]

    def get_seq_length(self) -> int:
        return self._step.keys.shape[3] - 1


class WholeStep:
    """Calls `model` for one token of each row."""

    def __init__(self, model: PreTrainedModel) -> None:
        self._model: Any = model

    def __call__(self, step: Step) -> torch.Tensor:
        """The logits ``[rows, vocabulary]`` after `step`'s tokens."""
        layers: Sequence[_Layer] = [_Layer(step, layer) for layer in range(len(step.keys))]
        answer = self._model(
            input_ids=step.ids[:, None],
            position_ids=step.at[:, None],
            attention_mask=step.mask,
            past_key_values=Cache(layers=list(layers)),
            use_cache=True,
        )
        logits: torch.Tensor = answer.logits
        return logits[:, -1]
