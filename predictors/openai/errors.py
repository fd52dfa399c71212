"""Errors in the form that OpenAI's clients read."""

from __future__ import annotations

from typing import Final

import orjson

from predictors.serving.errors import (
    InvalidInputError,
    MethodNotAllowedError,
    ModelNotFoundError,
    RequestError,
)
from predictors.serving.routes import HttpAnswer

__all__ = ["FieldError", "answer_of", "body_of"]

_CODES: Final = {503: "overloaded", 504: "timeout", 501: "unsupported"}


class FieldError(InvalidInputError):
    """A field of the body is wrong; `param` names it."""

    def __init__(self, param: str, text: str) -> None:
        self.param = param
        super().__init__(f"{param}: {text}")


def body_of(error: RequestError) -> bytes:
    """``{"error": {"message", "type", "param", "code"}}``."""
    code = _CODES.get(error.status)
    if isinstance(error, ModelNotFoundError):
        code = "model_not_found"
    refused = error.status < 500 or isinstance(error, MethodNotAllowedError)
    return orjson.dumps(
        {
            "error": {
                "message": str(error),
                "type": "invalid_request_error" if refused else "server_error",
                "param": getattr(error, "param", None),
                "code": code,
            }
        }
    )


def answer_of(error: RequestError) -> HttpAnswer:
    """The answer that tells an error."""
    return HttpAnswer(error.status, body_of(error), headers=error.headers)
