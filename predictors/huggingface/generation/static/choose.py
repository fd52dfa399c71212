"""Which models step at fixed shapes: those whose kind allows it, and whose trial agrees."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import Any, Final

import torch
from transformers import PreTrainedModel
from transformers.cache_utils import DynamicCache, DynamicLayer

from predictors.huggingface.generation.runner import Prefill, Runner
from predictors.huggingface.generation.static.llama import LlamaStep, is_llama
from predictors.huggingface.generation.static.runner import MOST, Forward, StaticRunner
from predictors.huggingface.generation.static.whole import WholeStep
from predictors.pytorch.device import Device
from predictors.pytorch.execution import keep_compiled
from predictors.pytorch.options import Options as Compiler
from predictors.pytorch.replay import Direct, Replay, replay_on

__all__ = ["static_runner", "trial"]

_log = logging.getLogger(__name__)

_PROMPTS: Final = ([3, 1, 2, 0, 3, 2], [2, 0, 1])
_SHAPES: Final = 64
"""Programs that are kept: rows and columns are each a power of two."""
_TOLERANCE: Final = {torch.float32: 1e-3, torch.float16: 2e-2, torch.bfloat16: 1e-1}
"""How far logits may lie apart, as a share of the largest: two ways of rounding the same."""


def static_runner(
    model: PreTrainedModel,
    device: Device,
    name: str,
    *,
    virtual: Mapping[str, torch.Tensor] | None = None,
    most: int = MOST,
    compiler: Compiler | None = None,
    replay: Replay | None = None,
    ahead: bool | None = None,
) -> StaticRunner | None:
    """A runner for `model`, or None, with the reason in the log, where its kind does not allow it.

    By default steps run ahead and weights are fused on another device than the processor.
    `most` tokens are what memory is kept for. `compiler` says whether steps are compiled, each
    shape at its first step.
    """
    reason = _refused(model)
    if reason is not None:
        _log.info("model %s steps at shapes that change: %s", name, reason)
        return None
    forward: Forward = WholeStep(model)
    if is_llama(model):
        forward = LlamaStep(model, fuse=device.accelerated)
    reason = trial(model, forward, device, fixed=device.accelerated)
    if reason is not None:
        _log.warning("model %s steps at shapes that change: %s", name, reason)
        return None
    if compiler is not None and compiler.compile:
        forward = _compiled(model, forward, device, name, compiler)
    return StaticRunner(
        model,
        device,
        forward,
        replay or replay_on(device, f"model {name}"),
        ahead=device.accelerated if ahead is None else ahead,
        most=most,
        virtual=virtual,
    )


def _compiled(
    model: PreTrainedModel, forward: Forward, device: Device, name: str, compiler: Compiler
) -> Forward:
    """`forward` by Inductor, or as it is where that fails."""
    keep_compiled(compiler)
    import torch._dynamo

    torch._dynamo.config.recompile_limit = _SHAPES
    made: Forward = torch.compile(forward, dynamic=False, mode="max-autotune-no-cudagraphs")
    reason = trial(model, made, device, fixed=True)
    if reason is None:
        return made
    _log.warning("model %s: its steps are not compiled: %s", name, reason)
    return forward


def trial(model: PreTrainedModel, forward: Forward, device: Device, *, fixed: bool) -> str | None:
    """Why `forward` does not make the model's own logits; None where it does."""
    own = Runner(model, device)
    static = StaticRunner(model, device, forward, Direct(fixed=fixed), ahead=False)
    try:
        wanted, made = _two_steps(own), _two_steps(static)
    except Exception as error:  # whatever a model's code raises for masks it does not expect
        return f"{type(error).__name__}: {str(error).splitlines()[0] if str(error) else ''}"
    most = float(wanted.abs().max())
    apart = float((wanted - made).abs().max())
    if apart <= _TOLERANCE.get(made.dtype, 1e-1) * max(most, 1e-6):
        return None
    return f"its logits were {apart:g} apart in a trial, of {most:g} at most"


def _two_steps(runner: Runner) -> torch.Tensor:
    prefill = Prefill(_PROMPTS, [None] * len(_PROMPTS))
    batch = runner.begin()
    while runner.read(prefill, 64) is None:
        continue
    runner.join(batch, prefill)
    runner.step(batch, [1, 2], [None, None])
    return runner.step(batch, [2, 3], [None, None]).clone()


def _refused(model: PreTrainedModel) -> str | None:
    kind = model.config.model_type
    if not getattr(model, "_can_compile_fullgraph", False):
        return f"transformers does not say that a {kind} can"
    layers: list[Any] = DynamicCache(config=model.config).layers
    if {type(layer) for layer in layers} - {DynamicLayer}:
        return f"a {kind} with sliding windows has attention of other shapes"
    return None
