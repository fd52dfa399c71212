"""Steps of generation on a GPU without a server: as they come, replayed, and compiled."""

from __future__ import annotations

from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import torch
from transformers import AutoModelForCausalLM

from predictors.huggingface.generation.runner import Prefill, Runner
from predictors.huggingface.generation.sampling import Sampler
from predictors.huggingface.generation.static import static_runner
from predictors.openai.abilities import Sampling
from predictors.pytorch.device import Device
from predictors.pytorch.options import Options

__all__ = ["step_ms"]

_PROMPT: Final = list(range(4, 64))
_WARM_UP: Final = 20
_STEPS: Final = 150


def step_ms(folder: Path, device: str = "cuda:0") -> dict[str, float]:
    """Milliseconds of a step for one text, by the way it is made; the model is in bfloat16."""
    model: Any = AutoModelForCausalLM.from_pretrained(folder, dtype=torch.bfloat16)
    model = model.to(device).eval().requires_grad_(False)
    where = Device(device)
    made = {"dynamic": _timed(Runner(model, where), _one_by_one)}
    static = static_runner(model, where, "llama")
    if static is not None:
        made["static"] = _timed(static, _launched)
    if find_spec("triton") is not None:
        compiled = static_runner(model, where, "llama", compiler=Options(compile=True))
        if compiled is not None:
            made["compiled"] = _timed(compiled, _launched)
    return made


def _timed(runner: Any, steps: Callable[[Any, Any, int], None]) -> float:
    prefill, batch = Prefill([_PROMPT], [None]), runner.begin()
    runner.read(prefill, len(_PROMPT))
    runner.join(batch, prefill)
    runner.feed(batch, 0, [5])
    steps(runner, batch, _WARM_UP)
    began = perf_counter()
    steps(runner, batch, _STEPS)
    return (perf_counter() - began) / _STEPS * 1e3


def _one_by_one(runner: Any, batch: Any, count: int) -> None:
    """Each step once the last one's token is known."""
    token = 5
    for _ in range(count):
        token = int(runner.step(batch, [token], [None]).argmax())


def _launched(runner: Any, batch: Any, count: int) -> None:
    """Each step one ahead of the tokens that are known."""
    samplers = [Sampler(Sampling(temperature=0), [], 0)]
    before = runner.launch(batch, samplers)
    for _ in range(count - 1):
        now = runner.launch(batch, samplers)
        before.result()
        before = now
    before.result()
