"""What bounds text generation, from the environment."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields
from typing import Literal, Self, cast

from predictors.serving.errors import StartupError

__all__ = ["EngineName", "GenerationSettings"]

EngineName = Literal["auto", "torch", "vllm"]
_ENGINES = ("auto", "torch", "vllm")
_PREFIX = "ROUSE_GENERATION_"


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """Bounds of one model; each is also ``ROUSE_GENERATION_<NAME>`` in capitals.

    `max_batch` are texts made at a time, and `max_batch_tokens` the tokens kept for them: rows
    times the longest that any of them may become. `max_waiting` are texts in the queue.
    `prefill_tokens` are read of prompts between two steps of the batch. `max_new_tokens` bounds a
    text whose client sets no bound. `max_context` of 0 is the model's own.
    """

    max_batch: int = 32
    max_batch_tokens: int = 65536
    max_waiting: int = 256
    prefill_tokens: int = 512
    max_new_tokens: int = 1024
    max_context: int = 0
    engine: EngineName = "auto"

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Self:
        """The settings that the environment gives. Raises `StartupError` naming the variable."""
        numbers = {
            name: _number(_PREFIX + name.upper(), env[_PREFIX + name.upper()], name)
            for name in (field.name for field in fields(cls))
            if name != "engine" and env.get(_PREFIX + name.upper())
        }
        engine = env.get(_PREFIX + "ENGINE") or "auto"
        if engine not in _ENGINES:
            raise StartupError(f"{_PREFIX}ENGINE must be one of {', '.join(_ENGINES)}: {engine!r}.")
        return cls(**numbers, engine=cast("EngineName", engine))


def _number(variable: str, text: str, name: str) -> int:
    least = 0 if name == "max_context" else 1
    if not text.isdecimal() or int(text) < least:
        raise StartupError(f"{variable} must be a whole number, at least {least}: {text!r}.")
    return int(text)
