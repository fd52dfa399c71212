"""What goes through a graph: bodies, and the few headers without which they cannot be read."""

from __future__ import annotations

from collections.abc import AsyncGenerator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final

import orjson

from predictors.graph.gjson.validity import is_valid

__all__ = ["JSON", "Answer", "Message", "content_of", "with_instances"]

JSON: Final = "application/json"

_HEADER_LENGTH: Final = "inference-header-content-length"
_SAY_NOTHING: Final = ("", "application/x-www-form-urlencoded", "text/plain")
"""What clients say without being asked: no type, curl's and that of a browser's fetch."""


@dataclass(frozen=True, slots=True)
class Message:
    """A body and what it is.

    ``json_length`` is the value of Inference-Header-Content-Length, how many bytes of JSON come
    before the binary tensors; empty where there are none.
    """

    body: bytes
    content_type: str = JSON
    json_length: str = ""

    @property
    def document(self) -> bytes:
        """The JSON of the body, which conditions look into."""
        if self.json_length.isascii() and self.json_length.isdigit():
            return self.body[: int(self.json_length[:18])]
        return self.body

    @property
    def headers(self) -> list[tuple[str, str]]:
        """The headers that go with the body."""
        told = [("content-type", self.content_type)]
        if self.json_length:
            told.append((_HEADER_LENGTH, self.json_length))
        return told


@dataclass(frozen=True, slots=True)
class Answer(Message):
    """An answer; ``further`` are its other headers. With ``parts`` it comes bit by bit."""

    status: int = 200
    further: Sequence[tuple[str, str]] = ()
    parts: AsyncGenerator[bytes, None] | None = field(default=None, compare=False)

    @property
    def ok(self) -> bool:
        """Whether the service did what it was asked."""
        return 200 <= self.status <= 299


def content_of(headers: Mapping[str, str], body: bytes, otherwise: str = JSON) -> tuple[str, str]:
    """Content type of a body and the length of the JSON before its tensors, by its headers.

    What is JSON is called so where its sender says nothing of it, as KServe's router does;
    ``otherwise`` is what a body without a type is that is none.
    """
    said = headers.get("content-type") or ""
    if said.partition(";")[0].strip().lower() in _SAY_NOTHING:
        said = JSON if is_valid(body) else said or otherwise
    return said, headers.get(_HEADER_LENGTH) or ""


def with_instances(message: Message) -> Message:
    """The message with its ``predictions`` as ``instances``, and nothing else, as KServe does it.

    One without predictions stays as it is.
    """
    if message.json_length:
        return message
    try:
        told = orjson.loads(message.body)
    except orjson.JSONDecodeError:
        return message
    if not isinstance(told, dict) or not isinstance(told.get("instances", []), (list, type(None))):
        return message
    predictions = told.get("predictions")
    if not isinstance(predictions, list) or not predictions:
        return message
    return Message(orjson.dumps({"instances": predictions}))
