"""On a GPU: embeddings and generation in bfloat16, beside what reading the weights allows.

A step of generation for one client reads every weight once, so that the memory's bandwidth over the
weights' bytes is the most tokens there can be in a second. It is measured here, by copying. Our own
steps are measured as they come, at fixed shapes (replayed as CUDA graphs) and compiled, without a
server and behind one; vLLM stands beside them where it is installed.
"""

from __future__ import annotations

import asyncio
import os
import statistics
from collections.abc import Mapping
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Final

import torch

from perf.deep_learning.load import post, stream
from perf.deep_learning.models import SENTENCES, minilm, random_llama, weights_bytes
from perf.deep_learning.servers import hello, ours
from perf.deep_learning.steps import step_ms
from perf.peers.bodies import Body
from perf.peers.contestants import Contestant
from perf.peers.load import LOAD_CORE
from perf.report import Figure

__all__ = ["on_gpu"]

_UNITS: Final[Mapping[str, str]] = {
    "gpu_minilm_32": "texts/s",
    "gpu_bandwidth": "GB/s",
    "gpu_step_limit_ms": "ms",
    "gpu_step_dynamic_ms": "ms",
    "gpu_step_static_ms": "ms",
    "gpu_step_compiled_ms": "ms",
    "gpu_generate_1_dynamic": "tokens/s",
    "gpu_generate_1_static": "tokens/s",
    "gpu_generate_1_vllm": "tokens/s",
    "gpu_generate_1_limit_share": "of the limit",
}
_ENGINES: Final[Mapping[str, Mapping[str, str]]] = {
    "dynamic": {"ROUSE_GENERATION_ENGINE": "torch", "ROUSE_GENERATION_STEPS": "dynamic"},
    "static": {"ROUSE_GENERATION_ENGINE": "torch", "ROUSE_GENERATION_STEPS": "static"},
    "vllm": {"ROUSE_GENERATION_ENGINE": "vllm"},
}
_CLIENTS: Final = 32
_COPIED: Final = 1 << 30
_TIMES: Final = 20
_BAR: Final = 0.5


def on_gpu(rounds: int, seconds: int, scratch: Path) -> list[Figure]:
    """The figures; null where torch sees no GPU, and of what is not installed."""
    if not torch.cuda.is_available():
        return [
            Figure(name, None, unit, note="torch sees no GPU here") for name, unit in _UNITS.items()
        ]
    bandwidth = copied_per_second()
    folder = scratch / "llama-1b"
    random_llama(folder, large=True)
    weights = weights_bytes(folder)
    found = {
        "gpu_bandwidth": bandwidth / 1e9,
        "gpu_step_limit_ms": weights / bandwidth * 1e3,
        **{f"gpu_step_{name}_ms": ms for name, ms in step_ms(folder).items()},
        "gpu_minilm_32": embedded(rounds, seconds, scratch),
    }
    for name, environ in _ENGINES.items():
        if name != "vllm" or find_spec("vllm") is not None:
            rate = generated(folder, environ, rounds, seconds, scratch)
            found[f"gpu_generate_1_{name}"] = rate
    share = found["gpu_generate_1_static"] * weights / bandwidth
    found["gpu_generate_1_limit_share"] = share
    return [_figure(name, found.get(name)) for name in _UNITS]


def _figure(name: str, value: float | None) -> Figure:
    note = "" if value is not None else "what it needs is not installed"
    bar = _BAR if name.endswith("_share") else None
    return Figure(name, value, _UNITS[name], bar, note, at_least=True)


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


def embedded(rounds: int, seconds: int, scratch: Path) -> float:
    """MiniLM's texts/s with 32 clients, the median of the rounds."""
    server = _on_all_cores(ours("minilm", minilm(), gpu=True), "--dtype=bfloat16")
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
    server = _on_all_cores(server, "--dtype=bfloat16")
    asked = b'{"model": "llama", "prompt": "w5 w6", "max_tokens": 1}'
    greeting = Body("/openai/v1/completions", asked, hello("").headers)
    with server.running(scratch / "gpu-llama.log", greeting):
        server.resume()
        rates = [
            asyncio.run(stream(server.http, clients=1, warm_up=seconds, seconds=seconds)).rate
            for _ in range(rounds)
        ]
    return statistics.median(rates)


def _on_all_cores(server: Contestant, *flags: str) -> Contestant:
    """The server on every core but the load's: a GPU's limit is not one core's."""
    cores = sorted(core for core in os.sched_getaffinity(0) if str(core) != LOAD_CORE)
    spread = ["taskset", "-c", ",".join(map(str, cores))]
    return replace(server, argv=[*spread, *server.argv, *flags])
