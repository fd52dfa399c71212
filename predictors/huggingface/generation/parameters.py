"""Texts and settings in V1 and V2 requests, by the names that transformers gives them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final, NamedTuple

from predictors.huggingface.calls import PROTOCOL
from predictors.openai.abilities import Sampling
from predictors.serving.errors import InvalidInputError
from predictors.serving.inference import InferenceRequest
from predictors.serving.tensors import text_or_bytes

__all__ = ["Asked", "asked_of"]

_TEXT_KEYS: Final = ("text", "text_input", "prompt", "inputs")
_LIMITS: Final = ("max_tokens", "max_new_tokens")
_STOPS: Final = ("stop", "stop_sequences", "stop_strings")
_KNOWN: Final = (
    *_LIMITS,
    "do_sample",
    "temperature",
    "top_p",
    "top_k",
    "repetition_penalty",
    "seed",
    *_STOPS,
    "adapter",
)


class Asked(NamedTuple):
    """The texts to go on with, and how."""

    texts: Sequence[str]
    sampling: Sampling
    adapter: str | None


def asked_of(request: InferenceRequest) -> Asked:
    """What a V1 or V2 request asks for. Raises `InvalidInputError` naming the field."""
    payload = request.payload
    if isinstance(payload, Mapping):
        rows = payload.get("instances", payload.get("inputs"))
        if not isinstance(rows, list) or not rows:
            raise InvalidInputError('The body must have "instances", a list of texts.')
        texts = [_text(row, f"instances[{index}]") for index, row in enumerate(rows)]
        given = payload.get("parameters") or {}
    else:
        if len(request.inputs) != 1:
            raise InvalidInputError("inputs must be one BYTES tensor of texts.")
        values = request.inputs[0].array.ravel().tolist()
        texts = [_text(value, f"inputs[0].data[{index}]") for index, value in enumerate(values)]
        given = request.parameters
    if not isinstance(given, Mapping):
        raise InvalidInputError("parameters must be an object.")
    adapter = given.get("adapter")
    if adapter is not None and not isinstance(adapter, str):
        raise InvalidInputError("parameters.adapter must be an adapter's name.")
    return Asked(texts, sampling_of(given), adapter)


def sampling_of(given: Mapping[str, Any]) -> Sampling:
    """Without ``do_sample`` or a temperature the likeliest token is taken, as transformers does.

    Raises `InvalidInputError` for what is not known, rather than pass it over.
    """
    unknown = next((n for n in given if n not in _KNOWN and n not in PROTOCOL), None)
    if unknown is not None:
        raise InvalidInputError(
            f"parameters.{unknown} is not known here. Known: {', '.join(_KNOWN)}."
        )
    limit = _first(given, _LIMITS)
    sample = given.get("do_sample", "temperature" in given)
    if not isinstance(sample, bool):
        raise InvalidInputError("parameters.do_sample must be true or false.")
    seed = given.get("seed")
    return Sampling(
        max_tokens=None if limit is None else _whole(given, limit, 1),
        temperature=_number(given, "temperature", 1.0, 0.0, 100.0) if sample else 0.0,
        top_p=_number(given, "top_p", 1.0, 0.0, 1.0),
        top_k=_whole(given, "top_k", 0) if given.get("top_k") is not None else 0,
        seed=None if seed is None else _whole(given, "seed", None),
        stop=_stops(given),
        repetition_penalty=_number(given, "repetition_penalty", 1.0, 0.01, 100.0),
    )


def _first(given: Mapping[str, Any], names: Sequence[str]) -> str | None:
    return next((name for name in names if given.get(name) is not None), None)


def _stops(given: Mapping[str, Any]) -> tuple[str, ...]:
    name = _first(given, _STOPS)
    if name is None:
        return ()
    stops = given[name]
    stops = [stops] if isinstance(stops, str) else stops
    if not isinstance(stops, list) or not all(isinstance(s, str) and s for s in stops):
        raise InvalidInputError(f"parameters.{name} must be a text, or a list of texts.")
    return tuple(stops)


def _whole(given: Mapping[str, Any], name: str, least: int | None) -> int:
    value = given[name]
    if type(value) is not int or (least is not None and value < least):
        bound = "" if least is None else f" of at least {least}"
        raise InvalidInputError(f"parameters.{name} must be a whole number{bound}, got {value!r}.")
    return value


def _number(
    given: Mapping[str, Any], name: str, default: float, least: float, most: float
) -> float:
    value = given.get(name)
    if value is None:
        return default
    if type(value) not in (int, float) or not least <= value <= most:
        raise InvalidInputError(
            f"parameters.{name} must be a number from {least:g} to {most:g}, got {value!r}."
        )
    return float(value)


def _text(value: object, field: str) -> str:
    if isinstance(value, Mapping):
        value = next((value[key] for key in _TEXT_KEYS if key in value), None)
    if isinstance(value, bytes):
        value = text_or_bytes(value)
    if not isinstance(value, str):
        raise InvalidInputError(f"{field} must be a text.")
    return value
