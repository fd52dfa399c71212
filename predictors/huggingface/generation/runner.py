"""The model's part of a continuous batch: prompts read in chunks, and steps of all rows at once."""

from __future__ import annotations

import inspect
from collections.abc import Mapping, Sequence
from typing import Any, Final, Protocol

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import Cache, DynamicCache, DynamicLayer, DynamicSlidingWindowLayer

from predictors.huggingface.generation.cache import BatchCache
from predictors.huggingface.generation.sampling import Sampler
from predictors.pytorch.device import Device, Download
from predictors.serving.errors import ModelLoadError

__all__ = ["Batch", "Prefill", "Runner"]

_BASE: Final = "__base__"
"""PEFT's word for a row without an adapter."""


class Batch(Protocol):
    """The rows of a running batch, in the order of their texts."""

    def __len__(self) -> int:
        """How many there are."""

    def join(self, prompts: DynamicCache, lengths: Sequence[int]) -> None:
        """Add the rows of `prompts`, which end at its last column and are `lengths` long."""

    def leave(self, rows: Sequence[int]) -> list[int]:
        """Drop rows. Returns for each row that stays, in its new order, where it was before."""


class Prefill:
    """Prompts being read together, padded on the left. `virtual` vectors stand before the tokens.

    `adapters` are LoRA adapters, one a row.
    """

    def __init__(
        self,
        prompts: Sequence[Sequence[int]],
        adapters: Sequence[str | None],
        virtual: torch.Tensor | None = None,
    ) -> None:
        width = max(map(len, prompts))
        front = 0 if virtual is None else len(virtual)
        self.ids = torch.zeros((len(prompts), width), dtype=torch.long)
        self.mask = torch.zeros((len(prompts), front + width), dtype=torch.long)
        for row, prompt in enumerate(prompts):
            self.ids[row, width - len(prompt) :] = torch.tensor(prompt, dtype=torch.long)
            self.mask[row, width - len(prompt) :] = 1
        self.lengths = [front + len(prompt) for prompt in prompts]
        self.positions = (self.mask.cumsum(-1) - 1).clamp_min(0)
        self.adapters = adapters
        self.virtual = virtual
        self.embedded: torch.Tensor | None = None
        self.cache = DynamicCache()
        self.done = 0

    @property
    def width(self) -> int:
        """Columns there are to read."""
        return self.mask.shape[1]


class Runner:
    """Runs one causal model. All methods are for one thread, the engine's.

    `wrapped` is the model within its LoRA adapters, where there are any; `virtual` the vectors of
    adapters that are prompts, by name.
    """

    def __init__(
        self,
        model: PreTrainedModel,
        device: Device,
        *,
        wrapped: torch.nn.Module | None = None,
        virtual: Mapping[str, torch.Tensor] | None = None,
    ) -> None:
        check(model)
        self._model = model
        self._wrapped = wrapped
        self._device = device.torch
        self.virtual = virtual or {}
        known = inspect.signature(model.forward).parameters
        self._positioned = "position_ids" in known
        self._extra: dict[str, Any] = {"logits_to_keep": 1} if "logits_to_keep" in known else {}

    @torch.inference_mode()
    def read(self, prefill: Prefill, tokens: int) -> torch.Tensor | None:
        """Read about `tokens` more of the prompts; the logits ``[rows, vocabulary]`` at the end."""
        columns = max(1, tokens // len(prefill.lengths))
        part = slice(prefill.done, min(prefill.done + columns, prefill.width))
        given: dict[str, Any] = {}
        if prefill.virtual is None:
            given["input_ids"] = prefill.ids[:, part].to(self._device)
        else:
            given["inputs_embeds"] = self._embedded(prefill, prefill.virtual)[:, part]
        logits = self._forward(
            given,
            prefill.mask[:, : part.stop],
            prefill.positions[:, part],
            prefill.cache,
            prefill.adapters,
        )
        prefill.done = part.stop
        return logits if part.stop == prefill.width else None

    @property
    def ahead(self) -> bool:
        """Whether `launch` may begin a step before the tokens of the last one are known here."""
        return False

    def begin(self) -> Batch:
        """An empty batch."""
        return BatchCache()

    @torch.inference_mode()
    def join(self, batch: Batch, prefill: Prefill) -> None:
        """Add the rows of prompts that were read."""
        batch.join(prefill.cache, prefill.lengths)

    @torch.inference_mode()
    def leave(self, batch: Batch, rows: Sequence[int]) -> list[int]:
        """Drop rows, as `Batch.leave`."""
        return batch.leave(rows)

    @torch.inference_mode()
    def step(
        self, batch: Batch, tokens: Sequence[int], adapters: Sequence[str | None]
    ) -> torch.Tensor:
        """One token more in each row; the logits ``[rows, vocabulary]`` of the tokens after it."""
        if not isinstance(batch, BatchCache):
            raise TypeError(f"a runner steps batches of its own, not {type(batch).__name__}")
        given = {"input_ids": torch.tensor(tokens, dtype=torch.long)[:, None].to(self._device)}
        logits = self._forward(given, batch.mask(), batch.positions, batch.cache, adapters)
        batch.stepped()
        return logits

    def feed(self, batch: Batch, first: int, tokens: Sequence[int]) -> None:
        """The tokens that rows from `first` on go on from; `step` is given them anyway."""

    def launch(self, batch: Batch, samplers: Sequence[Sampler]) -> Download:
        """Begin a step whose tokens are chosen on the device; where `ahead` says so."""
        raise NotImplementedError

    def _forward(
        self,
        given: dict[str, Any],
        mask: torch.Tensor,
        positions: torch.Tensor,
        cache: Cache,
        adapters: Sequence[str | None],
    ) -> torch.Tensor:
        if self._positioned:
            given["position_ids"] = positions.to(self._device)
        model: torch.nn.Module = self._model
        if self._wrapped is not None:
            model = self._wrapped
            given["adapter_names"] = [adapter or _BASE for adapter in adapters]
        answer = model(
            **given,
            **self._extra,
            attention_mask=mask.to(self._device),
            past_key_values=cache,
            use_cache=True,
        )
        logits: torch.Tensor = answer.logits
        return logits[:, -1]

    def _embedded(self, prefill: Prefill, virtual: torch.Tensor) -> torch.Tensor:
        if prefill.embedded is None:
            tokens = self._model.get_input_embeddings()(prefill.ids.to(self._device))
            front = virtual.to(tokens)
            rows = []
            for row, length in zip(tokens, prefill.lengths, strict=True):
                begin = prefill.width - length
                rows.append(torch.cat((row[:begin], front, row[begin:])))
            prefill.embedded = torch.stack(rows)
        return prefill.embedded


def check(model: PreTrainedModel) -> None:
    """Raise `ModelLoadError` for a model whose memory is more than keys and values."""
    kinds = {type(layer) for layer in DynamicCache(config=model.config).layers}
    if model.config.is_encoder_decoder or kinds - {DynamicLayer, DynamicSlidingWindowLayer}:
        raise ModelLoadError(
            f"A model of type {model.config.model_type} keeps more than keys and values of its "
            "attention, which continuous batching cannot join. Serve it with vLLM "
            "(ROUSE_GENERATION_ENGINE=vllm), or by a class of your own (predictors.custom)."
        )
