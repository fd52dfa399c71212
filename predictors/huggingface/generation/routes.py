"""The generate extension of V2: ``/v2/models/M/generate`` and ``generate_stream``."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Mapping, Sequence
from contextlib import aclosing
from typing import TYPE_CHECKING, Any

import orjson

from predictors.huggingface.generation.parameters import sampling_of
from predictors.openai.abilities import Generation, Piece
from predictors.openai.asking import deadline_in
from predictors.serving.errors import DeadlineError, InvalidInputError
from predictors.serving.protocols import parse_object
from predictors.serving.routes import Described, HttpAnswer, HttpRequest, Route
from predictors.serving.streaming import sse

if TYPE_CHECKING:
    from predictors.huggingface.generation.model import GenerationModel

__all__ = ["generate_routes"]


def generate_routes(model: GenerationModel) -> Sequence[Route]:
    """``{"text_input": text, "parameters": {...}}`` in, ``{"text_output": text}`` out."""

    async def whole(request: HttpRequest) -> HttpAnswer:
        deadline = deadline_in(request.headers)
        generation = await _begun(model, request)
        pieces = [piece async for piece in _pieces(model, generation, deadline)]
        text = "".join(piece.text for piece in pieces)
        used = sum(piece.tokens for piece in pieces)
        body = _body(model, text, pieces[-1], generation, used)
        return HttpAnswer(body=body)

    async def parts(request: HttpRequest) -> HttpAnswer:
        deadline = deadline_in(request.headers)
        generation = await _begun(model, request)
        headers = (("cache-control", "no-cache"),)
        events = sse(_bodies(model, generation, deadline))
        return HttpAnswer(content_type="text/event-stream", headers=headers, stream=events)

    base = f"/v2/models/{model.name}"
    return (
        Route("POST", f"{base}/generate", whole, described=_described(f"{base}/generate", "")),
        Route(
            "POST",
            f"{base}/generate_stream",
            parts,
            described=_described(f"{base}/generate_stream", ", as server-sent events"),
        ),
    )


def _described(path: str, how: str) -> Described:
    text = {"type": "string"}
    return Described(
        path,
        f"Generate a text{how} (V2)",
        {
            "type": "object",
            "properties": {"text_input": text, "parameters": {"type": "object"}},
            "required": ["text_input"],
        },
        {"text_input": "Once upon a time", "parameters": {"max_new_tokens": 8}},
        {
            "type": "object",
            "properties": {"model_name": text, "model_version": text, "text_output": text},
            "required": ["model_name", "text_output"],
        },
    )


async def _begun(model: GenerationModel, request: HttpRequest) -> Generation:
    given = parse_object(request.body)
    text, parameters = given.get("text_input"), given.get("parameters") or {}
    if not isinstance(text, str):
        raise InvalidInputError("text_input must be a text.")
    if not isinstance(parameters, Mapping):
        raise InvalidInputError("parameters must be an object.")
    adapter = parameters.get("adapter")
    if adapter is not None and not isinstance(adapter, str):
        raise InvalidInputError("parameters.adapter must be an adapter's name.")
    return await model.complete(text, sampling_of(parameters), adapter=adapter)


async def _bodies(
    model: GenerationModel, generation: Generation, deadline: float | None
) -> AsyncIterator[bytes]:
    used = 0
    async with aclosing(_pieces(model, generation, deadline)) as pieces:
        async for piece in pieces:
            used += piece.tokens
            if piece.text or piece.finish:
                yield _body(model, piece.text, piece, generation, used)


async def _pieces(
    model: GenerationModel, generation: Generation, deadline: float | None
) -> AsyncGenerator[Piece, None]:
    """The pieces, until the event loop's time is `deadline`. Raises `DeadlineError`."""
    coming = aiter(generation)
    try:
        while True:
            async with asyncio.timeout_at(deadline):
                piece = await anext(coming, None)
            if piece is None:
                return
            yield piece
    except TimeoutError:
        raise DeadlineError(
            f"Model {model.name} did not answer within the request's time."
        ) from None
    finally:
        generation.close()


def _body(
    model: GenerationModel, text: str, last: Piece, generation: Generation, used: int
) -> bytes:
    body: dict[str, Any] = {
        "model_name": model.name,
        "model_version": model.version,
        "text_output": text,
    }
    if last.finish is not None:
        body["parameters"] = {
            "finish_reason": last.finish,
            "prompt_tokens": generation.prompt_tokens,
            "completion_tokens": used,
        }
    return orjson.dumps(body)
