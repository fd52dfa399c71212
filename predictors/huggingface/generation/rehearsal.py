"""A tiny model that makes two tokens before any fork, so that no child pays for a first time."""

from __future__ import annotations

from transformers import LlamaConfig, LlamaForCausalLM

from predictors.huggingface.generation.cache import BatchCache
from predictors.huggingface.generation.runner import Prefill, Runner
from predictors.huggingface.generation.sampling import Sampler, choose
from predictors.openai.abilities import Sampling
from predictors.pytorch.device import Device
from predictors.pytorch.linear import use_onednn

__all__ = ["rehearse"]


def rehearse() -> None:
    """Read a prompt, join it to a batch and step, on the calling thread alone.

    For a parent: its children have all of this by the fork.
    """
    config = LlamaConfig(
        vocab_size=8,
        hidden_size=16,
        intermediate_size=16,
        num_hidden_layers=1,
        num_attention_heads=2,
        num_key_value_heads=2,
        max_position_embeddings=16,
    )
    model = LlamaForCausalLM(config)
    use_onednn(model.requires_grad_(False))
    runner, batch, prompt = Runner(model, Device("cpu")), BatchCache(), [3, 4, 5]
    prefill = Prefill([prompt], [None])
    logits = runner.read(prefill, len(prompt))
    if logits is None:
        raise RuntimeError("the prompt was not read in one part")
    samplers = [Sampler(Sampling(), prompt, 7)]
    runner.join(batch, prefill)
    chosen = choose(logits, samplers)
    choose(runner.step(batch, [chosen[0].token], [None]), samplers)
