"""JSON Schemas of OpenAI's bodies, as they are checked here."""

from __future__ import annotations

from typing import Any, Final

__all__ = ["CHAT", "COMPLETION", "EMBEDDINGS", "ERROR", "MODELS", "RERANK", "TEXT", "VECTORS"]

Schema = dict[str, Any]

_TEXT: Final[Schema] = {"type": "string", "minLength": 1}
_TEXTS: Final[Schema] = {"type": "array", "items": _TEXT, "minItems": 1}
_IDS: Final[Schema] = {"type": "array", "items": {"type": "integer", "minimum": 0}, "minItems": 1}
_FLAG: Final[Schema] = {"type": ["boolean", "null"], "default": False}


def _number(least: float, most: float, default: float) -> Schema:
    return {"type": ["number", "null"], "minimum": least, "maximum": most, "default": default}


def _whole(least: int, most: int | None = None) -> Schema:
    bounds = {"minimum": least} if most is None else {"minimum": least, "maximum": most}
    return {"type": ["integer", "null"], **bounds}


def _body(model: Schema, required: tuple[str, ...], **fields: Schema) -> Schema:
    return {
        "type": "object",
        "properties": {"model": model, **fields},
        "required": ["model", *required],
    }


_MODEL: Final[Schema] = {"type": "string", "description": "A model's name, or an adapter's."}
_SAMPLING: Final[Schema] = {
    "max_tokens": _whole(1),
    "temperature": _number(0, 2, 1),
    "top_p": _number(0, 1, 1),
    "top_k": {**_whole(-1), "description": "The likeliest tokens only; 0 and -1 are no limit."},
    "seed": {"type": ["integer", "null"], "description": "The same seed makes the same text."},
    "stop": {"anyOf": [_TEXT, {**_TEXTS, "maxItems": 16}, {"type": "null"}]},
    "presence_penalty": _number(-2, 2, 0),
    "frequency_penalty": _number(-2, 2, 0),
    "repetition_penalty": _number(0.01, 10, 1),
    "ignore_eos": _FLAG,
    "n": {**_whole(1, 128), "description": "How many texts of each prompt."},
    "stream": {**_FLAG, "description": "Server-sent events, the last of which is [DONE]."},
    "stream_options": {
        "type": ["object", "null"],
        "properties": {"include_usage": _FLAG},
        "description": "With stream only.",
    },
}

COMPLETION: Final = _body(
    _MODEL,
    ("prompt",),
    prompt={"anyOf": [{"type": "string"}, _TEXTS, _IDS, {"type": "array", "items": _IDS}]},
    echo=_FLAG,
    logprobs=_whole(0, 20),
    **_SAMPLING,
)

CHAT: Final = _body(
    _MODEL,
    ("messages",),
    messages={
        "type": "array",
        "minItems": 1,
        "items": {
            "type": "object",
            "properties": {
                "role": {"type": "string", "description": "system, user, assistant or tool"},
                "content": {
                    "anyOf": [{"type": "string"}, {"type": "array"}, {"type": "null"}],
                    "description": "A text, or parts of type text.",
                },
                "tool_calls": {"type": ["array", "null"], "items": {"type": "object"}},
            },
            "required": ["role"],
        },
    },
    tools={"type": ["array", "null"], "description": "Given to the chat template."},
    max_completion_tokens=_whole(1),
    logprobs=_FLAG,
    top_logprobs={**_whole(0, 20), "description": "With logprobs only."},
    chat_template_kwargs={"type": ["object", "null"]},
    **_SAMPLING,
)

EMBEDDINGS: Final = _body(
    _MODEL,
    ("input",),
    input={
        "anyOf": [_TEXT, {**_TEXTS, "maxItems": 2048}, _IDS, {"type": "array", "items": _IDS}],
        "description": "Texts, or this model's own tokens, special ones among them.",
    },
    encoding_format={"enum": ["float", "base64", None], "default": "float"},
    dimensions={**_whole(1), "description": "Of models that were trained for it."},
)

RERANK: Final = _body(
    _MODEL,
    ("query", "documents"),
    query=_TEXT,
    documents={
        "type": "array",
        "minItems": 1,
        "maxItems": 2048,
        "items": {
            "anyOf": [
                _TEXT,
                {"type": "object", "properties": {"text": _TEXT}, "required": ["text"]},
            ]
        },
    },
    top_n=_whole(1),
    return_documents={"type": ["boolean", "null"], "default": True},
)

MODELS: Final[Schema] = {
    "type": "object",
    "properties": {
        "object": {"const": "list"},
        "data": {"type": "array", "items": {"type": "object", "required": ["id", "object"]}},
    },
    "required": ["object", "data"],
}

_USAGE: Final[Schema] = {
    "type": "object",
    "properties": {
        name: {"type": "integer"} for name in ("prompt_tokens", "completion_tokens", "total_tokens")
    },
    "required": ["prompt_tokens", "total_tokens"],
}

TEXT: Final[Schema] = {
    "type": "object",
    "properties": {
        "id": {"type": "string"},
        "object": {"type": "string"},
        "created": {"type": "integer"},
        "model": {"type": "string"},
        "choices": {"type": "array", "items": {"type": "object", "required": ["index"]}},
        "usage": _USAGE,
    },
    "required": ["id", "object", "created", "model", "choices", "usage"],
}

VECTORS: Final[Schema] = {
    "type": "object",
    "properties": {
        "data": {"type": "array", "items": {"type": "object"}},
        "results": {"type": "array", "items": {"type": "object"}},
        "model": {"type": "string"},
        "usage": _USAGE,
    },
    "required": ["model", "usage"],
}

ERROR: Final[Schema] = {
    "type": "object",
    "properties": {
        "error": {
            "type": "object",
            "properties": {
                "message": {"type": "string"},
                "type": {"type": "string"},
                "param": {"type": ["string", "null"]},
                "code": {"type": ["string", "null"]},
            },
            "required": ["message", "type", "param", "code"],
        }
    },
    "required": ["error"],
}
