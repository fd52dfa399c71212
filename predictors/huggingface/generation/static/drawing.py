"""Tokens chosen on the device: the host gives random numbers and is told nothing in between.

The same rule as `Sampler`'s, of the same random numbers, for all rows at once.
"""

from __future__ import annotations

from collections.abc import Sequence

import torch

from predictors.huggingface.generation.sampling import COLDEST, Sampler
from predictors.pytorch.device import Device

__all__ = ["draw"]


def draw(
    logits: torch.Tensor, likeliest: torch.Tensor, samplers: Sequence[Sampler], device: Device
) -> torch.Tensor:
    """The next token of each row of `logits` ``[rows, vocabulary]``, on the device.

    `likeliest` ``[rows]`` are the tokens of rows without a temperature. All `samplers` are `free`.
    """
    if all(sampler.plain for sampler in samplers):
        return likeliest
    words = logits.shape[-1]
    told = [_told(sampler, words) for sampler in samplers]
    given = device.upload(torch.tensor(told, dtype=torch.float64))
    temperature, most, mass, point = (column[:, None] for column in given.unbind(1))
    logits = logits.float()
    # By the distance to the likeliest: a low temperature makes infinities of the others.
    distance = logits - logits.max(-1, keepdim=True).values
    weights = (distance / temperature.clamp_min(COLDEST).float()).softmax(-1)
    tokens = None
    if any(sampler.cuts for sampler in samplers):
        weights, tokens = _cut(weights, most, mass)
    sums = weights.double().cumsum(-1)
    at = torch.searchsorted(sums, point * sums[:, -1:], right=True)
    last = (weights > 0).long().mul_(torch.arange(words, device=weights.device)).amax(-1)
    at = torch.minimum(at, last[:, None])
    drawn = (at if tokens is None else tokens.gather(-1, at))[:, 0]
    return torch.where(temperature[:, 0] == 0, likeliest, drawn)


def _told(sampler: Sampler, words: int) -> tuple[float, float, float, float]:
    """Temperature, tokens (more than there are: all) and probability at most, a random number."""
    sampling = sampler.sampling
    if sampling.temperature == 0:
        return 0.0, words + 1, 1.0, 0.0
    most = min(sampling.top_k, words) or words + 1
    return sampling.temperature, most, sampling.top_p, sampler.point()


def _cut(
    weights: torch.Tensor, most: torch.Tensor, mass: torch.Tensor
) -> tuple[torch.Tensor, torch.Tensor]:
    """The weights that stay, and the token of each; a row that is not cut is as it was."""
    ranks = torch.arange(weights.shape[-1], device=weights.device)
    ordered, tokens = weights.sort(-1, descending=True)
    first = torch.where(ranks < most, ordered, 0.0)
    # top_p is of what top_k leaves, as in transformers.
    total = torch.where(most <= len(ranks), first.sum(-1, keepdim=True), 1.0)
    before = first.cumsum(-1) - first
    kept = torch.where((before < mass.float() * total) | (ranks == 0), first, 0.0)
    whole = (most > len(ranks)) & (mass >= 1)
    return torch.where(whole, weights, kept), torch.where(whole, ranks, tokens)
