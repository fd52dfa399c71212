"""Text from tokens as they come: never half a character, never a part of a stop string."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Final, Protocol

__all__ = ["Detokenizer", "Tokenizer"]

_CONTEXT: Final = 6
_BROKEN: Final = "\ufffd"
_PATIENCE: Final = 8
"""Tokens that may wait for the rest of their character; none needs more than four."""


class Tokenizer(Protocol):
    """What is needed of a tokenizer of transformers."""

    def decode(self, token_ids: list[int], skip_special_tokens: bool = ..., **kwargs: Any) -> Any:
        """The text of tokens."""


class Detokenizer:
    """The text that follows `prompt`. A stop string, once complete, ends it and is not told."""

    def __init__(self, tokenizer: Tokenizer, prompt: Sequence[int], stops: Sequence[str]) -> None:
        # Tokens of the prompt come along: whether the first one begins with a space, only they say.
        self._ids = list(prompt[-_CONTEXT:])
        self._tokenizer = tokenizer
        self._stops = stops
        self._from = 0
        self._read = len(self._ids)
        self._known = self._decoded(self._ids)
        self._held = ""
        self.stopped = False

    def push(self, token: int) -> str:
        """The text that is certain with one more token; it may be empty."""
        self._ids.append(token)
        text = self._decoded(self._ids[self._from :])
        waits = len(self._ids) - self._read < _PATIENCE
        if len(text) <= len(self._known) or (text.endswith(_BROKEN) and waits):
            return ""
        new = text[len(self._known) :]
        self._from, self._read = self._read, len(self._ids)
        self._known = self._decoded(self._ids[self._from : self._read])
        return self._passed(new) if self._stops else new

    def rest(self) -> str:
        """What was held back, now that no token follows."""
        held, self._held = self._held, ""
        if self.stopped:
            return ""
        text = self._decoded(self._ids[self._from :])[len(self._known) :]
        return held + text.rstrip(_BROKEN)

    def _passed(self, new: str) -> str:
        """`new` up to a stop string, or up to what may be the beginning of one."""
        text = self._held + new
        found = [at for stop in self._stops if (at := text.find(stop)) >= 0]
        if found:
            self.stopped = True
            self._held = ""
            return text[: min(found)]
        keep = max(_overlap(text, stop) for stop in self._stops)
        self._held = text[len(text) - keep :]
        return text[: len(text) - keep]

    def _decoded(self, ids: list[int]) -> str:
        text: str = self._tokenizer.decode(
            ids, skip_special_tokens=True, clean_up_tokenization_spaces=False
        )
        return text


def _overlap(text: str, stop: str) -> int:
    """How long the longest end of `text` is that `stop` begins with."""
    for length in range(min(len(stop) - 1, len(text)), 0, -1):
        if text.endswith(stop[:length]):
            return length
    return 0
