"""What a model must be able to do so that OpenAI's endpoints answer for it: a Protocol per ability.

A model has an ability by having its method. Methods run in the event loop, block nothing, and raise
`RequestError`: `InvalidInputError` for what the client got wrong, `OverloadedError` where the queue
is full. `adapter` names one of `adapters`; None is the model as it is.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, Protocol, runtime_checkable

import numpy as np
from numpy.typing import NDArray

__all__ = [
    "ABILITIES",
    "Adapted",
    "Bounded",
    "Chats",
    "Completes",
    "Embeds",
    "Finish",
    "Generation",
    "Message",
    "Piece",
    "Prompt",
    "Reranks",
    "Sampling",
    "TokenLogprob",
]

Prompt = str | Sequence[int]
"""Text, or the tokens of it."""

Message = Mapping[str, Any]
"""``{"role": ..., "content": text}`` and what else chat templates read."""

Finish = Literal["stop", "length"]
"""Why a text ended: its model or a stop string ended it, or its tokens were used up."""


@dataclass(frozen=True, slots=True)
class Sampling:
    """How tokens are chosen, and when to stop.

    `max_tokens` of None is the model's own default. A `temperature` of 0 takes the likeliest token.
    A `top_k` of 0 is no limit. `logprobs` is how many alternatives are told of each token, None for
    no log-probabilities at all.
    """

    max_tokens: int | None = None
    temperature: float = 1.0
    top_p: float = 1.0
    top_k: int = 0
    seed: int | None = None
    stop: tuple[str, ...] = ()
    presence_penalty: float = 0.0
    frequency_penalty: float = 0.0
    repetition_penalty: float = 1.0
    logprobs: int | None = None
    ignore_eos: bool = False


class TokenLogprob(NamedTuple):
    """A token, its natural log-probability, and the likeliest tokens in its place."""

    token: str
    logprob: float
    top: Sequence[tuple[str, float]] = ()


@dataclass(frozen=True, slots=True)
class Piece:
    """The next part of a text. `tokens` are how many it took; `text` may be empty meanwhile.

    The last piece, and only it, has `finish`.
    """

    text: str
    tokens: int = 1
    logprobs: Sequence[TokenLogprob] = ()
    finish: Finish | None = None


class Generation(Protocol):
    """A text that is being made. Closing it early gives its place in the batch to others."""

    @property
    def prompt_tokens(self) -> int:
        """How many tokens the prompt has."""

    def __aiter__(self) -> AsyncIterator[Piece]:
        """The pieces, as they come. Raises `RequestError` where the engine failed."""

    def close(self) -> None:
        """Nobody wants the rest. May be called twice, and after the end."""


@runtime_checkable
class Completes(Protocol):
    """Goes on with a text."""

    async def complete(
        self, prompt: Prompt, sampling: Sampling, *, adapter: str | None = None, echo: bool = False
    ) -> Generation:
        """Begin; returns when the prompt was checked and queued. Raises `RequestError`.

        With `echo` the first piece begins with the prompt's text.
        """


@runtime_checkable
class Chats(Protocol):
    """Answers messages, put in its chat template's form."""

    async def chat(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        adapter: str | None = None,
        template: Mapping[str, Any] | None = None,
    ) -> Generation:
        """Begin; `template` are further variables of the chat template. Raises `RequestError`."""


@runtime_checkable
class Adapted(Protocol):
    """Has variants of itself that are asked by names of their own."""

    @property
    def adapters(self) -> Sequence[str]:
        """Their names."""


@runtime_checkable
class Bounded(Protocol):
    """Makes so many texts of one request at most: more would never find room in its queue."""

    @property
    def most_texts(self) -> int:
        """How many."""


@runtime_checkable
class Embeds(Protocol):
    """Makes vectors of texts."""

    async def embed(
        self, texts: Sequence[Prompt], dimensions: int | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """One row per text, and how many tokens they have together. Raises `RequestError`.

        They are all texts, or all tokens. `dimensions` are how many numbers a row shall have, None
        as many as the model makes.
        """


@runtime_checkable
class Reranks(Protocol):
    """Says how well documents answer a query."""

    async def rerank(self, query: str, documents: Sequence[str]) -> tuple[Sequence[float], int]:
        """A score per document, larger is better, and the tokens read. Raises `RequestError`."""


ABILITIES: Final = (Completes, Chats, Embeds, Reranks)
"""A model with one of them has OpenAI's endpoints."""
