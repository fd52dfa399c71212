"""Continuous batching: texts join the running batch and leave it between two steps.

One thread does all of the model's work. A turn of it reads a bounded part of prompts that wait,
and then makes one token for every text in the batch; so a newcomer waits for one step at most, and
a long prompt holds nobody up for long.

Where the runner can (on a GPU), the next step is begun before the last one's tokens are known here:
while the device computes it, their text is made and told. What it made for a text that has ended
meanwhile is dropped.
"""

from __future__ import annotations

import logging
import secrets
import threading
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final, NamedTuple

import torch

from predictors.huggingface.generation.detokenizer import Tokenizer
from predictors.huggingface.generation.engine import Job, Text
from predictors.huggingface.generation.metrics import Load
from predictors.huggingface.generation.runner import Prefill, Runner
from predictors.huggingface.generation.sampling import Choice, choose
from predictors.huggingface.generation.settings import GenerationSettings
from predictors.huggingface.generation.streams import Mail, Stream
from predictors.pytorch.device import Device, Download
from predictors.pytorch.threads import use_all
from predictors.serving.errors import (
    InferenceError,
    ModelNotReadyError,
    OverloadedError,
    RequestError,
)

__all__ = ["ContinuousEngine"]

_log = logging.getLogger(__name__)

_CLOSE_SECONDS: Final = 30.0
_TOGETHER: Final = 64
"""Tokens of prompts that a processor reads together: more take longer in proportion."""


class _Launched(NamedTuple):
    """A step under way: the texts of its rows, and their tokens on their way."""

    texts: Sequence[Text]
    tokens: Download


class ContinuousEngine:
    """An `Engine` for a causal model. `ends` are the tokens that end a text."""

    def __init__(
        self,
        name: str,
        runner: Runner,
        tokenizer: Tokenizer,
        ends: frozenset[int],
        settings: GenerationSettings,
        device: Device,
        entropy: Callable[[], int] = lambda: secrets.randbits(64),
    ) -> None:
        self._name = name
        self._runner = runner
        self._tokenizer = tokenizer
        self._ends = ends
        self._settings = settings
        self._device = device
        self._entropy = entropy
        self._waiting: deque[Text] = deque()
        self._wanted = threading.Condition()
        self._thread: threading.Thread | None = None
        self._closed = False
        self._batch = runner.begin()
        self._texts: list[Text] = []
        self._launched: _Launched | None = None
        self._prefill: tuple[Prefill, list[Text]] | None = None
        self._mail = Mail()
        self._together = settings.prefill_tokens if device.accelerated else _TOGETHER
        self.steps = 0

    def submit(self, job: Job) -> Stream:
        """Queue a text. Raises `OverloadedError` or `ModelNotReadyError`."""
        stream = Stream(len(job.prompt), job.prefix)
        text = Text(job, stream, self._tokenizer, self._ends, self._entropy())
        with self._wanted:
            if self._closed:
                raise ModelNotReadyError(f"Model {self._name} is shutting down.")
            if len(self._waiting) >= self._settings.max_waiting:
                # Whoever went away meanwhile keeps nobody out.
                self._waiting = deque(t for t in self._waiting if not t.stream.cancelled)
            if len(self._waiting) >= self._settings.max_waiting:
                raise OverloadedError(
                    f"{len(self._waiting)} texts wait for model {self._name} already; try again "
                    "in a second."
                )
            self._waiting.append(text)
            if self._thread is None:
                # Not before: a warm parent must have no threads when it forks.
                self._thread = threading.Thread(
                    target=self._run, name=f"generate-{self._name}", daemon=True
                )
                self._thread.start()
            self._wanted.notify()
        return stream

    def load(self) -> Load:
        """Rows in the making, their prompts being read among them, and the room they may take."""
        prefill = self._prefill
        texts = [*self._texts, *(prefill[1] if prefill else ())]
        longest = max((_most(text) for text in texts), default=0)
        kept = longest * len(texts) / self._settings.max_batch_tokens
        return Load(len(texts), len(self._waiting), kept)

    def close(self) -> None:
        """End the thread after its step; texts in the making fail."""
        with self._wanted:
            self._closed = True
            self._wanted.notify()
        if self._thread is not None:
            self._thread.join(_CLOSE_SECONDS)

    def _run(self) -> None:
        use_all()
        while self._awaited():
            try:
                with self._device.out_of_memory(f"model {self._name}"):
                    self._turn()
            except RequestError as error:
                self._fail(error)
            except Exception:
                _log.exception("model %s failed while generating", self._name)
                self._fail(InferenceError(f"Model {self._name} failed while generating."))
        self._fail(ModelNotReadyError(f"Model {self._name} is shutting down."))

    def _awaited(self) -> bool:
        """Wait for work; False when it is time to end."""
        with self._wanted:
            while not (self._closed or self._waiting or self._texts or self._prefill):
                self._wanted.wait()
            return not self._closed

    def _turn(self) -> None:
        self._drop([row for row, text in enumerate(self._texts) if text.stream.cancelled])
        if self._prefill is not None and all(t.stream.cancelled for t in self._prefill[1]):
            self._prefill = None
        self._read_some(self._settings.prefill_tokens)
        if self._texts:
            self._step()
            self._mail.flush()
        if not self._texts:
            self._launched = None

    def _read_some(self, tokens: int) -> None:
        """Read prompts, up to about `tokens`; each has its first token as soon as it is read."""
        while tokens > 0:
            if self._prefill is None:
                self._prefill = self._admitted()
            if self._prefill is None:
                return
            tokens -= self._read(*self._prefill, tokens)
            self._mail.flush()

    def _admitted(self) -> tuple[Prefill, list[Text]] | None:
        """The texts at the head of the queue that fit the batch and may be read together."""
        taken: list[Text] = []
        with self._wanted:
            while self._waiting:
                text = self._waiting[0]
                if not text.stream.cancelled:
                    if not self._fits([*taken, text]):
                        break
                    taken.append(text)
                self._waiting.popleft()
        if not taken:
            return None
        prompts = [text.job.prompt for text in taken]
        adapters = [text.job.adapter for text in taken]
        virtual = self._virtual(taken[0])
        if virtual is not None:
            adapters = [None] * len(adapters)
        return Prefill(prompts, adapters, virtual), taken

    def _fits(self, texts: Sequence[Text]) -> bool:
        settings = self._settings
        first, last = texts[0], texts[-1]
        everything = [*self._texts, *texts]
        if len(everything) > settings.max_batch:
            return False
        longest = max(map(_most, everything))
        if len(everything) > 1 and longest * len(everything) > settings.max_batch_tokens:
            return False
        if len(texts) == 1:
            return True
        width = max(len(text.job.prompt) for text in texts)
        if width * len(texts) > self._together:
            return False
        return self._virtual(first) is self._virtual(last)

    def _virtual(self, text: Text) -> torch.Tensor | None:
        return self._runner.virtual.get(text.job.adapter or "")

    def _read(self, prefill: Prefill, texts: list[Text], tokens: int) -> int:
        """Read on; at the end the texts have their first token, and join the batch.

        Returns how many tokens were read.
        """
        before = prefill.done
        logits = self._runner.read(prefill, tokens)
        read = (prefill.done - before) * len(texts)
        if logits is None:
            return read
        self._prefill = None
        joined = len(self._texts)
        self._runner.join(self._batch, prefill)
        self._texts.extend(texts)
        self._take(logits, joined)
        return read

    def _step(self) -> None:
        if self._runner.ahead and all(text.sampler.free for text in self._texts):
            self._step_ahead()
            return
        if self._launched is not None:
            self._arrive(self._launched)
            self._launched = None
            return
        adapters = [self._lora(text) for text in self._texts]
        logits = self._runner.step(self._batch, [text.last for text in self._texts], adapters)
        self.steps += 1
        self._take(logits, 0)

    def _step_ahead(self) -> None:
        """Have the tokens of the step under way, once the next one is under way too."""
        now = self._launched or self._launch()
        known = {id(text) for text in now.texts}
        # Of texts that have their last token with this step there is nothing to go on with.
        goes_on = any(text.left > (id(text) in known) for text in self._texts)
        self._launched = self._launch() if goes_on else None
        self._arrive(now)

    def _launch(self) -> _Launched:
        tokens = self._runner.launch(self._batch, [text.sampler for text in self._texts])
        self.steps += 1
        return _Launched(tuple(self._texts), tokens)

    def _arrive(self, launched: _Launched) -> None:
        """Take the tokens of a step; a text that has left the batch since wants none."""
        tokens: list[int] = launched.tokens.result().tolist()
        chosen = {id(t): token for t, token in zip(launched.texts, tokens, strict=True)}
        texts = [(row, text) for row, text in enumerate(self._texts) if id(text) in chosen]
        self._tell(texts, [Choice(chosen[id(text)]) for _, text in texts])

    def _lora(self, text: Text) -> str | None:
        return text.job.adapter if self._virtual(text) is None else None

    def _take(self, logits: torch.Tensor, first: int) -> None:
        """Choose a token for each text from row `first` on, and tell it."""
        texts = self._texts[first:]
        choices = choose(logits, [text.sampler for text in texts])
        if self._runner.ahead:
            self._runner.feed(self._batch, first, [choice.token for choice in choices])
        self._tell(list(enumerate(texts, first)), choices)

    def _tell(self, texts: Sequence[tuple[int, Text]], choices: Sequence[Choice]) -> None:
        """Tell texts, each with its row, their next token; those that end leave."""
        ended = []
        for (row, text), choice in zip(texts, choices, strict=True):
            piece = text.take(choice)
            self._mail.add(text.stream, piece)
            if piece.finish is not None:
                ended.append(row)
        self._drop(ended)

    def _drop(self, rows: Sequence[int]) -> None:
        if rows:
            order = self._runner.leave(self._batch, rows)
            self._texts = [self._texts[row] for row in order]

    def _fail(self, error: RequestError) -> None:
        """Tell every text in the making, and begin anew."""
        texts = [*self._texts, *(self._prefill[1] if self._prefill else ())]
        if self._closed:
            with self._wanted:
                texts += self._waiting
                self._waiting.clear()
        self._texts, self._prefill, self._launched = [], None, None
        self._batch = self._runner.begin()
        for text in texts:
            self._mail.add(text.stream, error)
        self._mail.flush()


def _most(text: Text) -> int:
    """The tokens that a text may have in the end, its prompt's among them."""
    return len(text.job.prompt) + text.job.max_tokens
