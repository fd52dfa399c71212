"""Wire protocols: bytes in, `Answer` out. They share the data plane and nothing else."""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from predictors.serving.errors import InvalidInputError

__all__ = ["Answer", "parse_object"]


class Answer(NamedTuple):
    """The body of a successful inference, and how long its three parts took, in seconds."""

    body: bytes
    preprocess: float
    predict: float
    postprocess: float


def parse_object(body: bytes) -> dict[str, Any]:
    """The JSON object of a request body. Raises `InvalidInputError` saying where it is broken."""
    if not body:
        raise InvalidInputError("The body is empty; a JSON object is expected.")
    try:
        value = orjson.loads(body)
    except orjson.JSONDecodeError as error:
        raise InvalidInputError(f"The body is not valid JSON: {error}.") from None
    if not isinstance(value, dict):
        raise InvalidInputError("The body must be a JSON object.")
    return value
