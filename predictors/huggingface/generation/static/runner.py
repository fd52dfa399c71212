"""A runner whose steps are replayed, and may be one ahead of what the host knows of them."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Final

import torch
from transformers import PreTrainedModel

from predictors.huggingface.generation.runner import Batch, Runner
from predictors.huggingface.generation.sampling import Sampler
from predictors.huggingface.generation.settings import GenerationSettings
from predictors.huggingface.generation.static.drawing import draw
from predictors.huggingface.generation.static.slots import Slots, Step
from predictors.pytorch.device import Device, Download
from predictors.pytorch.replay import Replay

__all__ = ["MOST", "Forward", "StaticRunner"]

MOST: Final = GenerationSettings().max_batch_tokens

Forward = Callable[[Step], torch.Tensor]
"""The logits ``[rows, vocabulary]`` of one step: always the same kernels for a shape."""


class StaticRunner(Runner):
    """Reads prompts as any `Runner`; its steps are `forward`'s, by `replay`.

    `most` are the tokens that memory is kept for, rows times columns.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        device: Device,
        forward: Forward,
        replay: Replay,
        *,
        ahead: bool,
        most: int = MOST,
        virtual: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        super().__init__(model, device, virtual=virtual)
        self._on = device
        self._forward_step = forward
        self._replay = replay
        self._ahead = ahead
        self._most = most

    @property
    def ahead(self) -> bool:
        """As it was made."""
        return self._ahead

    def begin(self) -> Batch:
        """An empty batch; the recordings of the one before are dropped."""
        self._replay.forget()
        return Slots(self._on, self._replay, self._most)

    @torch.inference_mode()
    def feed(self, batch: Batch, first: int, tokens: Sequence[int]) -> None:
        """The tokens that rows from `first` on go on from."""
        _slots(batch).feed(first, tokens)

    @torch.inference_mode()
    def step(
        self, batch: Batch, tokens: Sequence[int], adapters: Sequence[str | None]
    ) -> torch.Tensor:
        """One token more in each row, as `Runner.step`."""
        slots = _slots(batch)
        slots.feed(0, tokens)
        logits, _ = self._stepped(slots)
        slots.stepped()
        return logits

    @torch.inference_mode()
    def launch(self, batch: Batch, samplers: Sequence[Sampler]) -> Download:
        """Begin a step from the tokens that the last one chose or `feed` gave.

        Returns the tokens ``[rows]`` on their way. It waits for nothing.
        """
        slots = _slots(batch)
        logits, likeliest = self._stepped(slots)
        chosen = draw(logits, likeliest, samplers, self._on)
        slots.stepped(chosen)
        return self._on.begin_download(chosen)

    def _stepped(self, slots: Slots) -> tuple[torch.Tensor, torch.Tensor]:
        rows, columns = slots.shape()

        def step() -> tuple[torch.Tensor, torch.Tensor]:
            logits = self._forward_step(slots.step(rows, columns))
            return logits, logits.argmax(-1)

        logits, likeliest = self._replay.run((rows, columns), step)
        return logits[: len(slots)], likeliest[: len(slots)]


def _slots(batch: Batch) -> Slots:
    if not isinstance(batch, Slots):
        raise TypeError(f"a static runner steps batches of its own, not {type(batch).__name__}")
    return batch
