"""The way of an inference request: which protocol it speaks, which model it asks, and for what."""

from __future__ import annotations

from collections.abc import Callable
from enum import Enum
from typing import Final, NamedTuple

from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import Model
from predictors.serving.protocols import Encoded, Headers, v1, v2

__all__ = ["V1", "V1_EXPLAIN", "V2", "Lane", "Verb", "Wire"]


class Wire(NamedTuple):
    """A protocol's two halves; `decode` raises `InvalidInputError`."""

    decode: Callable[[Model, bytes, Headers], InferenceRequest]
    encode: Callable[[Model, InferenceRequest, InferenceResponse], Encoded]


V1: Final = Wire(v1.decode, v1.encode)
V1_EXPLAIN: Final = Wire(v1.decode, v1.encode_explanation)
V2: Final = Wire(v2.decode, v2.encode)


class Verb(Enum):
    """What is asked of a model."""

    INFER = "infer"
    EXPLAIN = "explain"
    STREAM = "stream"


class Lane:
    """One verb on one model over one protocol; a plain class, made once a path."""

    __slots__ = ("decode", "encode", "name", "verb", "version")

    def __init__(self, wire: Wire, verb: Verb, name: str, version: str | None = None) -> None:
        self.decode = wire.decode
        self.encode = wire.encode
        self.verb = verb
        self.name = name
        self.version = version
