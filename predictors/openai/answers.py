"""Bodies of completions and chat, whole or as chunks. Pure: ids and times are given."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from typing import Any, ClassVar

from predictors.openai.abilities import Piece, TokenLogprob

__all__ = ["Chat", "Completion", "Form", "usage_of"]

Json = dict[str, Any]


def usage_of(prompt_tokens: int, completion_tokens: int) -> Json:
    """Tokens used, in OpenAI's words."""
    return {
        "prompt_tokens": prompt_tokens,
        "completion_tokens": completion_tokens,
        "total_tokens": prompt_tokens + completion_tokens,
    }


class Form(ABC):
    """How one answer looks. `created` are seconds since 1970."""

    prefix: ClassVar[str]
    whole: ClassVar[str]
    chunk: ClassVar[str]

    def __init__(self, answer_id: str, model: str, created: int) -> None:
        self._head = {"id": f"{self.prefix}-{answer_id}", "created": created, "model": model}

    def answer(self, choices: Sequence[Json], usage: Json) -> Json:
        """The whole answer."""
        return {**self._head, "object": self.whole, "choices": choices, "usage": usage}

    def event(self, choices: Sequence[Json], usage: Json | None = None, *, told: bool) -> Json:
        """One chunk; where usage will be told, the chunks before have it as null."""
        chunk = {**self._head, "object": self.chunk, "choices": choices}
        return {**chunk, "usage": usage} if told else chunk

    @abstractmethod
    def opening(self, index: int) -> Json | None:
        """The choice that begins a text, where there is one."""

    @abstractmethod
    def choice(self, index: int, pieces: Sequence[Piece], offset: int) -> Json:
        """A choice made of all pieces of its text."""

    @abstractmethod
    def delta(self, index: int, piece: Piece, offset: int) -> Json:
        """A choice with the next piece; `offset` are the characters before it."""


class Completion(Form):
    """Of ``completions``."""

    prefix = "cmpl"
    whole = chunk = "text_completion"

    def opening(self, index: int) -> Json | None:
        """Nothing: a text begins with its text."""
        return None

    def choice(self, index: int, pieces: Sequence[Piece], offset: int) -> Json:
        """``{"index", "text", "logprobs", "finish_reason"}``."""
        told = [each for piece in pieces for each in piece.logprobs]
        return {
            "index": index,
            "text": "".join(piece.text for piece in pieces),
            "logprobs": _legacy(told, offset) if told else None,
            "finish_reason": pieces[-1].finish if pieces else None,
        }

    def delta(self, index: int, piece: Piece, offset: int) -> Json:
        """The same with one piece."""
        return self.choice(index, [piece], offset)


class Chat(Form):
    """Of ``chat/completions``."""

    prefix = "chatcmpl"
    whole = "chat.completion"
    chunk = "chat.completion.chunk"

    def opening(self, index: int) -> Json | None:
        """Who speaks."""
        delta = {"role": "assistant", "content": ""}
        return {"index": index, "delta": delta, "logprobs": None, "finish_reason": None}

    def choice(self, index: int, pieces: Sequence[Piece], offset: int) -> Json:
        """``{"index", "message", "logprobs", "finish_reason"}``."""
        text = "".join(piece.text for piece in pieces)
        return {
            "index": index,
            "message": {"role": "assistant", "content": text, "refusal": None},
            "logprobs": _content([each for piece in pieces for each in piece.logprobs]),
            "finish_reason": pieces[-1].finish if pieces else None,
        }

    def delta(self, index: int, piece: Piece, offset: int) -> Json:
        """A choice whose delta is the piece."""
        return {
            "index": index,
            "delta": {"content": piece.text} if piece.text else {},
            "logprobs": _content(piece.logprobs),
            "finish_reason": piece.finish,
        }


def _content(told: Sequence[TokenLogprob]) -> Json | None:
    if not told:
        return None
    return {
        "content": [
            {
                **_entry(each.token, each.logprob),
                "top_logprobs": [_entry(token, logprob) for token, logprob in each.top],
            }
            for each in told
        ],
        "refusal": None,
    }


def _entry(token: str, logprob: float) -> Json:
    return {"token": token, "logprob": logprob, "bytes": list(token.encode())}


def _legacy(told: Sequence[TokenLogprob], offset: int) -> Json:
    offsets = []
    for each in told:
        offsets.append(offset)
        offset += len(each.token)
    return {
        "tokens": [each.token for each in told],
        "token_logprobs": [each.logprob for each in told],
        "top_logprobs": [dict(each.top) for each in told],
        "text_offset": offsets,
    }
