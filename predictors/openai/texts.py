"""Completions and chat: whole, or as server-sent events."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncGenerator, AsyncIterator, Sequence
from contextlib import aclosing
from typing import Any

import orjson

from predictors.openai.abilities import Generation, Piece
from predictors.openai.answers import Form, usage_of
from predictors.openai.asking import Target, begin, merged
from predictors.openai.errors import body_of
from predictors.openai.requests import Asked
from predictors.serving.counting import counted
from predictors.serving.errors import DeadlineError, RequestError
from predictors.serving.routes import HttpAnswer

__all__ = ["answer"]

_log = logging.getLogger(__name__)


async def answer(target: Target, asked: Asked, form: Form, deadline: float | None) -> HttpAnswer:
    """The answer to a request. Raises `RequestError` for what fails before the first piece."""
    if not asked.stream:
        with counted(target.endpoint):
            async with asyncio.timeout_at(deadline):
                return await _whole(target, asked, form)
    endpoint = target.endpoint
    endpoint.enter()
    try:
        generations = await begin(target, asked)
    except RequestError as error:
        endpoint.metrics.failed(error.status)
        raise
    finally:
        endpoint.leave()
    return HttpAnswer(
        content_type="text/event-stream",
        headers=(("cache-control", "no-cache"),),
        stream=_events(target, asked, form, generations, deadline),
    )


async def _whole(target: Target, asked: Asked, form: Form) -> HttpAnswer:
    generations = await begin(target, asked)
    texts: list[list[Piece]] = [[] for _ in generations]
    try:
        async with aclosing(merged(generations)) as pieces:
            async for index, piece in pieces:
                texts[index].append(piece)
    finally:
        _close(generations)
    choices = [
        form.choice(place, texts[index], _before(texts[index]))
        for place, index in enumerate(_order(asked, len(texts)))
    ]
    used = sum(piece.tokens for text in texts for piece in text)
    body = form.answer(choices, usage_of(_prompt_tokens(asked, generations), used))
    return HttpAnswer(body=orjson.dumps(body))


async def _events(
    target: Target,
    asked: Asked,
    form: Form,
    generations: Sequence[Generation],
    deadline: float | None,
) -> AsyncIterator[bytes]:
    """Chunks; an error on the way is the last of them."""
    try:
        with counted(target.endpoint):
            async with aclosing(_chunks(asked, form, generations, deadline)) as chunks:
                async for chunk in chunks:
                    yield _event(orjson.dumps(chunk))
    except RequestError as error:
        yield _event(body_of(error))
    except Exception:
        _log.exception("unforeseen error in a stream of model %s", target.endpoint.model.name)
        yield _event(body_of(RequestError("Internal server error.")))
    finally:
        _close(generations)
    yield _event(b"[DONE]")


async def _chunks(
    asked: Asked, form: Form, generations: Sequence[Generation], deadline: float | None
) -> AsyncGenerator[dict[str, Any]]:
    places = {index: place for place, index in enumerate(_order(asked, len(generations)))}
    for place in range(len(generations)):
        opening = form.opening(place)
        if opening is not None:
            yield form.event([opening], told=asked.usage)
    waiting: list[list[Piece]] = [[] for _ in generations]
    offsets = [0] * len(generations)
    used = 0
    loop = asyncio.get_running_loop()
    async with aclosing(merged(generations)) as pieces:
        while True:
            late = None if deadline is None else deadline - loop.time()
            try:
                index, piece = await asyncio.wait_for(anext(pieces), late)
            except StopAsyncIteration:
                break
            except TimeoutError:
                raise DeadlineError(
                    "The text was not complete within the request's time."
                ) from None
            used += piece.tokens
            waiting[index].append(piece)
            if not piece.text and piece.finish is None:
                continue
            joined = _joined(waiting[index])
            waiting[index] = []
            yield form.event([form.delta(places[index], joined, offsets[index])], told=asked.usage)
            offsets[index] += len(joined.text)
    if asked.usage:
        yield form.event([], usage_of(_prompt_tokens(asked, generations), used), told=True)


def _joined(pieces: Sequence[Piece]) -> Piece:
    """Several pieces as one: those before the last one have no text yet."""
    if len(pieces) == 1:
        return pieces[0]
    logprobs = [each for piece in pieces for each in piece.logprobs]
    last = pieces[-1]
    return Piece(last.text, sum(piece.tokens for piece in pieces), logprobs, last.finish)


def _order(asked: Asked, count: int) -> list[int]:
    """Texts were begun choice by choice; they are told prompt by prompt."""
    prompts = max(1, len(asked.prompts))
    return [n * prompts + prompt for prompt in range(prompts) for n in range(count // prompts)]


def _prompt_tokens(asked: Asked, generations: Sequence[Generation]) -> int:
    """Each prompt once, however many texts were made of it."""
    return sum(generation.prompt_tokens for generation in generations) // asked.n


def _before(pieces: Sequence[Piece]) -> int:
    """Characters before the first token's: those of a prompt that is echoed."""
    return len(pieces[0].text) if pieces and not pieces[0].tokens else 0


def _close(generations: Sequence[Generation]) -> None:
    for generation in generations:
        generation.close()


def _event(body: bytes) -> bytes:
    return b"data: " + body + b"\n\n"
