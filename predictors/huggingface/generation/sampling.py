"""Tokens chosen from logits: each text by its own settings and its own random numbers.

A text's random numbers depend on its seed and on how many tokens it has, never on its neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import Final, NamedTuple

import numpy as np
import torch

from predictors.openai.abilities import Sampling

__all__ = ["COLDEST", "Choice", "Sampler", "choose"]

_LIKELY: Final = 256
"""Most of the probability is in so few tokens; only where it is not, all are sorted."""
COLDEST: Final = 1e-6
"""Below it a temperature is no number of float32 any more, and takes the likeliest token anyway."""


class Choice(NamedTuple):
    """A token, its log-probability before temperature and penalties, and the likeliest ones."""

    token: int
    logprob: float = 0.0
    top: Sequence[tuple[int, float]] = ()


class Sampler:
    """Chooses the tokens of one text. `entropy` seeds it where the client gave no seed."""

    def __init__(self, sampling: Sampling, prompt: Sequence[int], entropy: int) -> None:
        self.sampling = sampling
        seed = entropy if sampling.seed is None else sampling.seed
        self._random = np.random.Generator(np.random.Philox(seed % (1 << 64)))
        self._counts: Counter[int] = Counter()
        self._seen = set(prompt) if sampling.repetition_penalty != 1 else set()
        self._penalties = bool(
            sampling.presence_penalty
            or sampling.frequency_penalty
            or sampling.repetition_penalty != 1
        )

    @property
    def plain(self) -> bool:
        """Whether the likeliest token is all that is wanted."""
        return self.sampling.temperature == 0 and self.free

    @property
    def free(self) -> bool:
        """Whether a token needs nothing of those before it, and only it is wanted."""
        return not self._penalties and self.sampling.logprobs is None

    @property
    def cuts(self) -> bool:
        """Whether a token is drawn of the likelier ones."""
        sampling = self.sampling
        return sampling.temperature > 0 and (bool(sampling.top_k) or sampling.top_p < 1)

    def point(self) -> float:
        """The random number, 0 to 1, of the next token; one is drawn for each."""
        return float(self._random.random())

    def choose(self, logits: torch.Tensor) -> Choice:
        """The next token for `logits` ``[vocabulary]``, float32, which are left as they are."""
        adjusted = self._penalised(logits) if self._penalties else logits
        if self.sampling.temperature == 0:
            token = int(adjusted.argmax())
        else:
            # By the distance to the likeliest: a low temperature makes infinities of the others.
            distance = adjusted - adjusted.max()
            token = self._drawn(distance / max(self.sampling.temperature, COLDEST))
        if self._penalties:
            self._counts[token] += 1
        return self._told(token, logits)

    def _penalised(self, logits: torch.Tensor) -> torch.Tensor:
        sampling = self.sampling
        logits = logits.clone()
        if sampling.repetition_penalty != 1:
            known = torch.tensor(sorted(self._seen | self._counts.keys()), device=logits.device)
            values = logits[known]
            penalty = sampling.repetition_penalty
            logits[known] = torch.where(values < 0, values * penalty, values / penalty)
        if self._counts:
            tokens = torch.tensor(list(self._counts), device=logits.device)
            counts = torch.tensor(list(self._counts.values()), device=logits.device)
            logits[tokens] -= sampling.presence_penalty + sampling.frequency_penalty * counts
        return logits

    def _drawn(self, logits: torch.Tensor) -> int:
        probabilities = logits.softmax(-1)
        sampling = self.sampling
        point = self.point()
        if not sampling.top_k and sampling.top_p >= 1:
            return _at(probabilities, point)
        wanted = min(sampling.top_k or len(logits), len(logits))
        values, tokens = probabilities.topk(wanted if sampling.top_k else min(wanted, _LIKELY))
        if len(values) < wanted and float(values.sum()) < sampling.top_p:
            values, tokens = probabilities.topk(wanted)
        # top_p is of what top_k leaves, as in transformers.
        total = values.sum() if sampling.top_k else 1.0
        before = values.cumsum(-1) - values
        kept = values[before < sampling.top_p * total]
        return int(tokens[_at(kept if len(kept) else values[:1], point)])

    def _told(self, token: int, logits: torch.Tensor) -> Choice:
        count = self.sampling.logprobs
        if count is None:
            return Choice(token)
        logprobs = logits.log_softmax(-1)
        values, tokens = logprobs.topk(min(count, len(logprobs)))
        top = list(zip(tokens.tolist(), values.tolist(), strict=True))
        return Choice(token, float(logprobs[token]), top)


def choose(logits: torch.Tensor, samplers: Sequence[Sampler]) -> list[Choice]:
    """The next token of each row of `logits` ``[rows, vocabulary]``."""
    if all(sampler.plain for sampler in samplers):
        return [Choice(token) for token in logits.argmax(-1).tolist()]
    logits = logits.float()
    return [sampler.choose(row) for sampler, row in zip(samplers, logits, strict=True)]


def _at(weights: torch.Tensor, point: float) -> int:
    """The index at `point` (0 to 1) of the weights' sum."""
    sums = weights.double().cumsum(-1)
    index = int(torch.searchsorted(sums, point * float(sums[-1]), right=True))
    return min(index, len(weights) - 1)
