"""vLLM as the engine, where it is installed and a GPU is there.

It could not be run where this was written, for want of a GPU: what is checked here is that requests
become vLLM's and its answers pieces, with vLLM's classes replaced.
"""

from __future__ import annotations

import asyncio
import importlib
from collections.abc import AsyncIterator
from importlib.util import find_spec
from itertools import count
from pathlib import Path
from typing import Any, Final

from predictors.huggingface.generation.adapters import find_adapters
from predictors.huggingface.generation.engine import Job
from predictors.huggingface.generation.metrics import Load
from predictors.huggingface.generation.settings import GenerationSettings
from predictors.huggingface.options import Options
from predictors.openai.abilities import Piece, TokenLogprob
from predictors.serving.errors import InferenceError, OverloadedError

__all__ = ["VllmEngine", "installed"]


_KEPT: Final = ("vllm:kv_cache_usage_perc", "vllm:gpu_cache_usage_perc")
"""The share of its cache that is taken, by its present name and by its former one."""


def installed() -> bool:
    """Whether vLLM can be imported."""
    return find_spec("vllm") is not None


class VllmEngine:
    """An `Engine` over vLLM's asynchronous one, which batches continuously by itself."""

    def __init__(
        self, name: str, folder: Path, options: Options, settings: GenerationSettings, context: int
    ) -> None:
        self._name = name
        self._vllm: Any = importlib.import_module("vllm")
        self._folders = find_adapters(folder)
        self.adapters = list(self._folders)
        self._ids = count()
        self._running = 0
        self._most_running = settings.max_batch
        self._most = settings.max_waiting + settings.max_batch
        arguments = self._vllm.AsyncEngineArgs(
            model=str(folder),
            max_model_len=context,
            max_num_seqs=settings.max_batch,
            dtype=options.dtype,
            trust_remote_code=options.trust_remote_code,
            enable_lora=bool(self._folders),
        )
        self._engine = self._vllm.AsyncLLMEngine.from_engine_args(arguments)

    def submit(self, job: Job) -> _VllmStream:
        """Hand a text to vLLM. Raises `OverloadedError`."""
        if self._running >= self._most:
            raise OverloadedError(f"{self._running} texts are with model {self._name} already.")
        lora = None
        if job.adapter is not None:
            request = importlib.import_module("vllm.lora.request").LoRARequest
            number = self.adapters.index(job.adapter) + 1
            lora = request(job.adapter, number, str(self._folders[job.adapter]))
        outputs = self._engine.generate(
            {"prompt_token_ids": list(job.prompt)},
            self._sampling(job),
            str(next(self._ids)),
            lora_request=lora,
        )
        self._running += 1
        return _VllmStream(self._name, job, outputs, self._ended)

    def load(self) -> Load:
        """What is with vLLM, and the share of its cache that is taken."""
        running = min(self._running, self._most_running)
        return Load(running, self._running - running, _kept())

    def close(self) -> None:
        """End vLLM's processes."""
        self._engine.shutdown()

    def _ended(self) -> None:
        self._running -= 1

    def _sampling(self, job: Job) -> Any:
        sampling = job.sampling
        return self._vllm.SamplingParams(
            max_tokens=job.max_tokens,
            temperature=sampling.temperature,
            top_p=sampling.top_p or 1.0,
            top_k=sampling.top_k or -1,
            seed=sampling.seed,
            stop=list(sampling.stop),
            presence_penalty=sampling.presence_penalty,
            frequency_penalty=sampling.frequency_penalty,
            repetition_penalty=sampling.repetition_penalty,
            logprobs=sampling.logprobs,
            ignore_eos=sampling.ignore_eos,
            output_kind=importlib.import_module("vllm.sampling_params").RequestOutputKind.DELTA,
        )


class _VllmStream:
    """A `Generation`; closing vLLM's iterator aborts its request."""

    def __init__(self, name: str, job: Job, outputs: Any, ended: Any) -> None:
        self._name = name
        self._job = job
        self._outputs = outputs
        self._ended = ended
        self._closing: asyncio.Task[None] | None = None

    @property
    def prompt_tokens(self) -> int:
        """How many tokens the prompt has."""
        return len(self._job.prompt)

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """The pieces, as they come. Raises `InferenceError`."""
        try:
            if self._job.prefix:
                yield Piece(self._job.prefix, 0)
            async for output in self._outputs:
                yield _piece(output.outputs[0])
        except RuntimeError as error:
            raise InferenceError(f"vLLM failed for model {self._name}: {error}") from error
        finally:
            self.close()

    def close(self) -> None:
        """Abort what is left."""
        if self._closing is None:
            self._ended()
            self._closing = asyncio.get_running_loop().create_task(self._outputs.aclose())


def _kept() -> float | None:
    """vLLM's own gauge, of the registry that it tells its metrics in."""
    try:
        registry = importlib.import_module("prometheus_client").REGISTRY
    except ImportError:
        return None
    found = registry.restricted_registry(_KEPT).collect()
    return max((sample.value for family in found for sample in family.samples), default=None)


def _piece(output: Any) -> Piece:
    told = [
        TokenLogprob(
            entry[token].decoded_token or "",
            entry[token].logprob,
            [(other.decoded_token or "", other.logprob) for other in entry.values()],
        )
        for token, entry in zip(output.token_ids, output.logprobs or (), strict=False)
    ]
    finish = {None: None, "length": "length"}.get(output.finish_reason, "stop")
    return Piece(output.text, len(output.token_ids), told, finish)  # type: ignore[arg-type]
