"""What makes texts: the interface of every engine, and a text in the making."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

from predictors.huggingface.generation.detokenizer import Detokenizer, Tokenizer
from predictors.huggingface.generation.metrics import Load
from predictors.huggingface.generation.sampling import Choice, Sampler
from predictors.huggingface.generation.streams import Stream
from predictors.openai.abilities import Finish, Generation, Piece, Sampling, TokenLogprob

__all__ = ["Engine", "Job", "Text"]


@dataclass(frozen=True, slots=True)
class Job:
    """A text that is wanted, checked and tokenised. `prompt` is never empty.

    `max_tokens` is at least 1 and fits the context. `prefix` is told before the text.
    """

    prompt: Sequence[int]
    sampling: Sampling
    max_tokens: int
    adapter: str | None = None
    prefix: str = ""


class Engine(Protocol):
    """Makes texts of one model, many at a time."""

    def submit(self, job: Job) -> Generation:
        """Queue a text, in the event loop. Raises `OverloadedError` where the queue is full."""

    def load(self) -> Load:
        """How much there is to do. Safe in any thread."""

    def close(self) -> None:
        """End it, off the event loop: texts in the making fail."""


class Text:
    """A text in the making, in the engine's thread."""

    def __init__(
        self,
        job: Job,
        stream: Stream,
        tokenizer: Tokenizer,
        ends: frozenset[int],
        entropy: int,
    ) -> None:
        self.job = job
        self.stream = stream
        self.sampler = Sampler(job.sampling, job.prompt, entropy)
        self.last = 0
        self._tokenizer = tokenizer
        self._ends = frozenset() if job.sampling.ignore_eos else ends
        self._text = Detokenizer(tokenizer, job.prompt, job.sampling.stop)
        self._left = job.max_tokens

    def take(self, choice: Choice) -> Piece:
        """The piece that the next token makes; with `finish` it is the last one."""
        self.last = choice.token
        self._left -= 1
        if choice.token in self._ends:
            return Piece(self._text.rest(), finish="stop")
        text = self._text.push(choice.token)
        finish: Finish | None = None
        if self._text.stopped:
            finish = "stop"
        elif not self._left:
            finish = "length"
            text += self._text.rest()
        logprobs = () if self.job.sampling.logprobs is None else (self._told(choice),)
        return Piece(text, 1, logprobs, finish)

    @property
    def left(self) -> int:
        """How many tokens it may have yet."""
        return self._left

    def _told(self, choice: Choice) -> TokenLogprob:
        top = [(self._name(token), logprob) for token, logprob in choice.top]
        return TokenLogprob(self._name(choice.token), choice.logprob, top)

    def _name(self, token: int) -> str:
        text: str = self._tokenizer.decode(
            [token], skip_special_tokens=False, clean_up_tokenization_spaces=False
        )
        return text
