"""Tokens chosen from logits."""

from __future__ import annotations

from collections import Counter

import torch

from predictors.huggingface.generation.sampling import Sampler, choose
from predictors.openai.abilities import Sampling

LOGITS = torch.log(torch.tensor([0.5, 0.3, 0.15, 0.05]))


def _drawn(sampling: Sampling, count: int = 2000) -> Counter[int]:
    sampler = Sampler(sampling, [], 1)
    return Counter(sampler.choose(LOGITS).token for _ in range(count))


def test_frequencies_follow_the_probabilities() -> None:
    drawn = _drawn(Sampling(seed=3), 4000)
    assert abs(drawn[0] / 4000 - 0.5) < 0.04
    assert abs(drawn[2] / 4000 - 0.15) < 0.03


def test_temperature_sharpens() -> None:
    assert _drawn(Sampling(temperature=0.1, seed=1))[0] > 1950
    assert _drawn(Sampling(temperature=0, seed=1)) == {0: 2000}


def test_top_k_and_top_p_leave_the_likeliest() -> None:
    assert set(_drawn(Sampling(top_k=2))) == {0, 1}
    assert set(_drawn(Sampling(top_p=0.79))) == {0, 1}
    assert set(_drawn(Sampling(top_p=0.81))) == {0, 1, 2}
    assert set(_drawn(Sampling(top_p=0.0))) == {0}
    assert set(_drawn(Sampling(top_k=3, top_p=0.5))) == {0}


def test_top_p_of_many_tokens_looks_at_all() -> None:
    logits = torch.zeros(1000)
    sampler = Sampler(Sampling(top_p=0.9, seed=0), [], 0)
    drawn = {sampler.choose(logits).token for _ in range(3000)}
    assert 800 < len(drawn) <= 900


def test_penalties() -> None:
    frequent = Sampler(Sampling(temperature=0, frequency_penalty=2.0), [], 0)
    assert [frequent.choose(LOGITS).token for _ in range(3)] == [0, 1, 2]
    present = Sampler(Sampling(temperature=0, presence_penalty=1.0), [], 0)
    assert [present.choose(LOGITS).token for _ in range(3)] == [0, 1, 0]
    repeated = Sampler(Sampling(temperature=0, repetition_penalty=5.0), [0], 0)
    assert repeated.choose(LOGITS).token == 1


def test_rows_choose_for_themselves() -> None:
    samplers = [
        Sampler(Sampling(temperature=0), [], 0),
        Sampler(Sampling(temperature=0, logprobs=2), [], 0),
    ]
    plain, told = choose(torch.stack([LOGITS.flip(0), LOGITS]), samplers)
    assert (plain.token, told.token) == (3, 0)
    assert [token for token, _ in told.top] == [0, 1]
    assert abs(told.logprob - float(LOGITS[0])) < 1e-6


def test_a_temperature_near_nothing_takes_the_likeliest() -> None:
    logits = torch.tensor([1.0, 40.0, 3.0, -float("inf")])
    for temperature in (1e-3, 1e-30, 1e-300, 5e-324):
        sampler = Sampler(Sampling(temperature=temperature), [0], 1)
        assert [sampler.choose(logits).token for _ in range(5)] == [1] * 5
