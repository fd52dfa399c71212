"""On a GPU: embeddings and generation in bfloat16, beside what reading the weights allows.

A step of generation for one client reads every weight once, so that the memory's bandwidth over the
weights' bytes is the most tokens there can be in a second. It is measured here, by copying.
"""

from __future__ import annotations

import asyncio
import statistics
from collections.abc import Mapping
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Final

import torch

from perf.deep_learning.load import post, stream
from perf.deep_learning.models import SENTENCES, minilm, random_llama, weights_bytes
from perf.deep_learning.servers import hello, ours
from perf.peers.bodies import Body
from perf.report import Figure

__all__ = ["on_gpu"]

_NAMES: Final = (
    ("gpu_minilm_32", "texts/s"),
    ("gpu_bandwidth", "GB/s"),
    ("gpu_generate_1", "tokens/s"),
    ("gpu_generate_1_limit_share", "of the limit"),
    ("gpu_generate_1_transformers", "tokens/s"),
)
_CLIENTS: Final = 32
_COPIED: Final = 1 << 30
_TIMES: Final = 20
_BAR: Final = 0.5


def on_gpu(rounds: int, seconds: int, scratch: Path) -> list[Figure]:
    """The figures; null where torch sees no GPU."""
    if not torch.cuda.is_available():
        return [Figure(name, None, unit, note="torch sees no GPU here") for name, unit in _NAMES]
    environ = {"ROUSE_TORCH_DTYPE": "bfloat16"}
    bandwidth = copied_per_second()
    folder = scratch / "llama-1b"
    random_llama(folder, large=True)
    texts = embedded(environ, rounds, seconds, scratch)
    tokens = generated(folder, environ, rounds, seconds, scratch)
    made = [
        Figure("gpu_minilm_32", texts, "texts/s"),
        Figure("gpu_bandwidth", bandwidth / 1e9, "GB/s"),
        Figure("gpu_generate_1", tokens, "tokens/s"),
        limit_share(tokens, weights_bytes(folder), bandwidth),
    ]
    if find_spec("vllm") is None:  # else it is what generates, and transformers stands beside it
        name, unit = _NAMES[-1]
        return [*made, Figure(name, None, unit, note="it is the engine: vLLM is not installed")]
    environ = {**environ, "ROUSE_GENERATION_ENGINE": "torch"}
    beside = generated(folder, environ, rounds, seconds, scratch)
    return [*made, Figure("gpu_generate_1_transformers", beside, "tokens/s")]


def limit_share(tokens: float, weights: int, bandwidth: float) -> Figure:
    """Tokens/s as a share of bandwidth (bytes/s) over weights (bytes)."""
    share = tokens * weights / bandwidth
    return Figure("gpu_generate_1_limit_share", share, "of the limit", _BAR, at_least=True)


def copied_per_second() -> float:
    """Bytes/s that the GPU's memory reads and writes while it copies a gigabyte."""
    source = torch.empty(_COPIED, dtype=torch.uint8, device="cuda")
    target = torch.empty_like(source)
    target.copy_(source)
    torch.cuda.synchronize()
    began = perf_counter()
    for _ in range(_TIMES):
        target.copy_(source)
    torch.cuda.synchronize()
    return 2 * _COPIED * _TIMES / (perf_counter() - began)


def embedded(environ: Mapping[str, str], rounds: int, seconds: int, scratch: Path) -> float:
    """MiniLM's texts/s with 32 clients, the median of the rounds."""
    server = ours("minilm", minilm(), gpu=True, environ=environ)
    bodies = [hello("rouse", text) for text in SENTENCES]
    with server.running(scratch / "gpu-minilm.log", hello("rouse")):
        server.resume()
        rates = [
            post(server.http, bodies, clients=_CLIENTS, seconds=seconds, scratch=scratch).rate
            for _ in range(rounds + 1)
        ]
    return statistics.median(rates[1:])


def generated(
    folder: Path, environ: Mapping[str, str], rounds: int, seconds: int, scratch: Path
) -> float:
    """Tokens/s of one client that streams, the median of the rounds."""
    server = ours("llama", folder, gpu=True, environ=environ)
    asked = b'{"model": "llama", "prompt": "w5 w6", "max_tokens": 1}'
    greeting = Body("/openai/v1/completions", asked, hello("").headers)
    with server.running(scratch / "gpu-llama.log", greeting):
        server.resume()
        rates = [
            asyncio.run(stream(server.http, clients=1, warm_up=seconds, seconds=seconds)).rate
            for _ in range(rounds)
        ]
    return statistics.median(rates)
