"""Encoder-decoders (summaries, translations) by transformers' own generate, a batch at a time.

Their texts are answered whole. Those that wait are made together where they are asked alike and
nothing is left to chance; a text with random numbers is made alone, so that its seed decides it.
"""

from __future__ import annotations

import asyncio
import secrets
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, Final, cast

import torch
from transformers import PreTrainedModel, StoppingCriteria

from predictors.huggingface.generation.adapters import Adapters
from predictors.huggingface.generation.engine import Job
from predictors.huggingface.generation.metrics import Load
from predictors.huggingface.generation.sampling import COLDEST
from predictors.huggingface.generation.settings import GenerationSettings
from predictors.huggingface.generation.streams import Stream
from predictors.openai.abilities import Piece, Sampling
from predictors.pytorch.device import Device
from predictors.pytorch.threads import use_all
from predictors.serving.errors import (
    InferenceError,
    InvalidInputError,
    OverloadedError,
    RequestError,
)

__all__ = ["Seq2SeqEngine"]

_BASE: Final = "__base__"


class Seq2SeqEngine:
    """An `Engine` for an encoder-decoder."""

    def __init__(
        self,
        name: str,
        model: PreTrainedModel,
        adapters: Adapters,
        tokenizer: Any,
        settings: GenerationSettings,
        device: Device,
        entropy: Callable[[], int] = lambda: secrets.randbits(63),
    ) -> None:
        self._name = name
        self._entropy = entropy
        self._lora = adapters.lora is not None
        self._model: Any = adapters.lora if adapters.lora is not None else model
        self._tokenizer = tokenizer
        self._settings = settings
        self._device = device
        self._threads = ThreadPoolExecutor(1, f"generate-{name}")
        self._waiting: list[tuple[Job, Stream]] = []
        self._working: asyncio.Task[None] | None = None
        self._running = 0

    def submit(self, job: Job) -> Stream:
        """Queue a text. Raises `OverloadedError`, `InvalidInputError` for what only others can."""
        sampling = job.sampling
        if sampling.logprobs is not None or sampling.presence_penalty or sampling.frequency_penalty:
            raise InvalidInputError(
                f"Model {self._name} is an encoder-decoder: it knows no logprobs, "
                "presence_penalty or frequency_penalty."
            )
        if len(self._waiting) >= self._settings.max_waiting:
            self._waiting = [each for each in self._waiting if not each[1].cancelled]
        if len(self._waiting) >= self._settings.max_waiting:
            raise OverloadedError(
                f"{len(self._waiting)} texts wait for model {self._name} already; try again in a "
                "second."
            )
        stream = Stream(len(job.prompt), job.prefix)
        self._waiting.append((job, stream))
        if self._working is None or self._working.done():
            self._working = stream.loop.create_task(self._work())
        return stream

    def load(self) -> Load:
        """The batch in the making, and what waits for the next."""
        return Load(self._running, len(self._waiting))

    def close(self) -> None:
        """Wait for the batch that is being made, and end."""
        self._threads.shutdown(cancel_futures=True)

    async def _work(self) -> None:
        loop = asyncio.get_running_loop()
        while batch := self._next():
            self._running = len(batch)
            items: Sequence[Piece | RequestError]
            try:
                items = await loop.run_in_executor(self._threads, self._made, batch)
            except RequestError as error:
                items = [error] * len(batch)
            except Exception as error:
                failed = InferenceError(f"Model {self._name} failed while generating: {error}")
                items = [failed] * len(batch)
            for (_, stream), item in zip(batch, items, strict=True):
                stream.put(item)
        self._running = 0

    def _next(self) -> list[tuple[Job, Stream]]:
        """The texts at the head of the queue that may be made together."""
        self._waiting = [each for each in self._waiting if not each[1].cancelled]
        if not self._waiting:
            return []
        first = self._waiting[0][0]
        if first.sampling.temperature:
            return [self._waiting.pop(0)]
        alike = [each for each in self._waiting if _key(each[0]) == _key(first)]
        alike = alike[: self._settings.max_batch]
        taken = {id(stream) for _, stream in alike}
        self._waiting = [each for each in self._waiting if id(each[1]) not in taken]
        return alike

    @torch.inference_mode()
    def _made(self, batch: Sequence[tuple[Job, Stream]]) -> list[Piece]:
        use_all()
        jobs = [job for job, _ in batch]
        pad = self._tokenizer.pad_token_id or 0
        width = max(len(job.prompt) for job in jobs)
        ids = torch.full((len(jobs), width), pad, dtype=torch.long)
        mask = torch.zeros_like(ids)
        for row, job in enumerate(jobs):
            ids[row, : len(job.prompt)] = torch.tensor(job.prompt)
            mask[row, : len(job.prompt)] = 1
        chosen = _chosen(jobs[0].sampling, jobs[0].max_tokens)
        chosen["stopping_criteria"] = [_Unwanted([stream for _, stream in batch])]
        if self._lora:
            chosen["adapter_names"] = [job.adapter or _BASE for job in jobs]
        device = self._device.torch
        with self._device.out_of_memory(f"model {self._name}"), torch.random.fork_rng():
            # The state of before is restored after it: without a seed all texts would be the same.
            seed = jobs[0].sampling.seed
            torch.manual_seed((self._entropy() if seed is None else seed) % (1 << 63))
            made = self._model.generate(
                input_ids=ids.to(device), attention_mask=mask.to(device), **chosen
            )
        return [self._piece(job, row) for job, row in zip(jobs, made.tolist(), strict=True)]

    def _piece(self, job: Job, tokens: list[int]) -> Piece:
        tokens = tokens[1:]  # the first one only starts the decoder
        ends = getattr(self._model, "generation_config", self._model.config).eos_token_id
        ends = ends if isinstance(ends, list) else [ends]
        at = next((index for index, token in enumerate(tokens) if token in ends), None)
        used = tokens if at is None else tokens[: at + 1]
        text = self._tokenizer.decode(used, skip_special_tokens=True)
        found = [begin for stop in job.sampling.stop if (begin := text.find(stop)) >= 0]
        if found:
            return Piece(text[: min(found)], len(used), finish="stop")
        return Piece(text, len(used), finish="length" if at is None else "stop")


class _Unwanted(StoppingCriteria):
    """Ends a batch that nobody waits for any more."""

    def __init__(self, streams: Sequence[Stream]) -> None:
        self._streams = streams

    def __call__(
        self, input_ids: torch.Tensor, scores: object, **kwargs: object
    ) -> torch.BoolTensor:
        gone = all(stream.cancelled for stream in self._streams)
        ended = torch.full((len(input_ids),), gone, device=input_ids.device)
        return cast("torch.BoolTensor", ended)


def _key(job: Job) -> tuple[object, ...]:
    sampling = job.sampling
    return (
        sampling.temperature,
        sampling.repetition_penalty,
        sampling.ignore_eos,
        job.max_tokens,
    )


def _chosen(sampling: Sampling, max_tokens: int) -> dict[str, Any]:
    chosen: dict[str, Any] = {
        "max_new_tokens": max_tokens,
        "do_sample": sampling.temperature > 0,
        "repetition_penalty": sampling.repetition_penalty,
    }
    if sampling.ignore_eos:
        chosen["min_new_tokens"] = max_tokens
    if sampling.temperature:
        temperature = max(sampling.temperature, COLDEST)
        chosen |= {"temperature": temperature, "top_p": sampling.top_p, "num_beams": 1}
        chosen["top_k"] = sampling.top_k
    return chosen
