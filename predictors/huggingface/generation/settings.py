"""What bounds text generation, from the environment."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, fields
from typing import Any, Final, Literal, Self

from predictors.serving.errors import StartupError

__all__ = ["EngineName", "GenerationSettings", "StepsName"]

EngineName = Literal["auto", "torch", "vllm"]
StepsName = Literal["auto", "static", "dynamic"]
_NAMES: Final[Mapping[str, Sequence[str]]] = {
    "engine": ("auto", "torch", "vllm"),
    "steps": ("auto", "static", "dynamic"),
}
_PREFIX = "ROUSE_GENERATION_"


@dataclass(frozen=True, slots=True)
class GenerationSettings:
    """Bounds of one model; each is also ``ROUSE_GENERATION_<NAME>`` in capitals.

    `max_batch` are texts made at a time, and `max_batch_tokens` the tokens kept for them: rows
    times the longest that any of them may become. `max_waiting` are texts in the queue.
    `prefill_tokens` are read of prompts between two steps of the batch. `max_new_tokens` bounds a
    text whose client sets no bound. `max_context` of 0 is the model's own. `steps` of torch's
    engine are at fixed shapes (static), as CUDA graphs on a GPU, or as they come (dynamic); auto is
    static on a GPU.
    """

    max_batch: int = 32
    max_batch_tokens: int = 65536
    max_waiting: int = 256
    prefill_tokens: int = 512
    max_new_tokens: int = 1024
    max_context: int = 0
    engine: EngineName = "auto"
    steps: StepsName = "auto"

    @classmethod
    def of(cls, env: Mapping[str, str]) -> Self:
        """The settings that the environment gives. Raises `StartupError` naming the variable."""
        told: dict[str, Any] = {}
        for name in (field.name for field in fields(cls)):
            variable = _PREFIX + name.upper()
            if text := env.get(variable):
                told[name] = (
                    _named(variable, text, _NAMES[name])
                    if name in _NAMES
                    else _number(variable, text, name)
                )
        return cls(**told)


def _named(variable: str, text: str, names: Sequence[str]) -> str:
    if text not in names:
        raise StartupError(f"{variable} must be one of {', '.join(names)}: {text!r}.")
    return text


def _number(variable: str, text: str, name: str) -> int:
    least = 0 if name == "max_context" else 1
    if not text.isdecimal() or int(text) < least:
        raise StartupError(f"{variable} must be a whole number, at least {least}: {text!r}.")
    return int(text)
