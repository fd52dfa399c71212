"""How many kernels a step of text generation launches, and what that bounds.

`python -m perf.deep_learning.kernels` counts the operators of torch that compute something, not
those that make views, in one step of a narrow Llama of 22 layers in bfloat16: their number does not
depend on the width. On a GPU nearly each is one kernel. No GPU is needed.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from typing import Any, Final

import torch
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils._pytree import tree_leaves
from transformers import LlamaConfig, LlamaForCausalLM

from predictors.huggingface.generation.runner import Prefill, Runner
from predictors.huggingface.generation.static.llama import LlamaStep
from predictors.huggingface.generation.static.runner import StaticRunner
from predictors.huggingface.generation.static.whole import WholeStep
from predictors.pytorch.device import Device
from predictors.pytorch.replay import Direct

__all__ = ["counted"]

_LAYERS: Final = 22
_BYTES: Final = 2.0e9
"""Weights of the measured model that a step reads: all but those of other tokens' embeddings."""
_BANDWIDTH: Final = 3.35e12
"""Bytes/s of an H100's memory, by its data sheet."""
_PRODUCTS: Final = 0.8
"""Share of the bandwidth that a product of one row may be expected to reach."""
_LAUNCHED_US: Final = 10.0
_REPLAYED_US: Final = 2.2
"""Of a kernel that computes nearly nothing: launched from Python, and in a recording."""


class _Computed(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Counts operators that write memory."""

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.counts: Counter[str] = Counter()

    def __torch_dispatch__(self, func: Any, types: Any, args: Any = (), kwargs: Any = None) -> Any:
        """Call and count."""
        made = func(*args, **(kwargs or {}))
        given = {each.untyped_storage().data_ptr() for each in _tensors((args, kwargs))}
        new = any(each.untyped_storage().data_ptr() not in given for each in _tensors(made))
        if new or func._schema.is_mutable:
            self.counts[func.overloadpacket.__name__] += 1
        return made


def counted(rows: int = 1) -> dict[str, Counter[str]]:
    """Operators of a step as they come, static by the model's own code, and by ours."""
    torch.manual_seed(7)
    config = LlamaConfig(
        vocab_size=260,
        hidden_size=64,
        intermediate_size=64,
        num_hidden_layers=_LAYERS,
        num_attention_heads=8,
        num_key_value_heads=2,
    )
    model: Any = LlamaForCausalLM(config)
    model.eval().bfloat16().requires_grad_(False)
    device, replay = Device("cpu"), Direct(fixed=True)
    fused = LlamaStep(model, fuse=True)
    return {
        "dynamic": _of(Runner(model, device), rows),
        "static, transformers' code": _of(
            StaticRunner(model, device, WholeStep(model), replay, ahead=False), rows
        ),
        "static, ours": _of(StaticRunner(model, device, fused, replay, ahead=False), rows),
    }


def _of(runner: Runner, rows: int) -> Counter[str]:
    prompts = [[4, 5, 6]] * rows
    prefill, batch = Prefill(prompts, [None] * rows), runner.begin()
    runner.read(prefill, 64 * rows)
    runner.join(batch, prefill)
    computed = _Computed()
    with computed:
        runner.step(batch, [7] * rows, [None] * rows)
    return computed.counts


def _tensors(tree: Any) -> Iterator[torch.Tensor]:
    return (each for each in tree_leaves(tree) if isinstance(each, torch.Tensor))


def main() -> None:
    """Print the counts, and the milliseconds that they allow on an H100."""
    limit = _BYTES / _BANDWIDTH * 1e3
    print(f"reading the weights once: {limit:.2f} ms")
    for name, counts in counted().items():
        every = sum(counts.values())
        products = counts["linear"] + counts["addmm_"]
        launched = max(every * _LAUNCHED_US / 1e3, limit / _PRODUCTS)
        replayed = limit / _PRODUCTS + (every - products) * _REPLAYED_US / 1e3
        print(f"{name:<28} {every:4} kernels, {products} of them products with weights")
        print(f"{'':<28} launched one by one {launched:5.1f} ms, {limit / launched:4.0%} of it")
        print(f"{'':<28} replayed            {replayed:5.1f} ms, {limit / replayed:4.0%} of it")
        print(f"{'':<28} {dict(counts.most_common(12))}")


if __name__ == "__main__":
    main()
