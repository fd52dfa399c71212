"""Asking models of a data plane: by name or adapter, within a deadline."""

from __future__ import annotations

import asyncio
from collections.abc import AsyncGenerator, Awaitable, Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from typing import Final, NamedTuple

from predictors.openai.abilities import (
    Adapted,
    Bounded,
    Chats,
    Completes,
    Embeds,
    Generation,
    Piece,
    Reranks,
)
from predictors.openai.errors import FieldError
from predictors.openai.requests import Asked
from predictors.serving.dataplane import DataPlane
from predictors.serving.endpoint import Endpoint
from predictors.serving.errors import (
    InvalidInputError,
    ModelNotFoundError,
    RequestError,
)
from predictors.serving.model import Model

__all__ = [
    "Target",
    "begin",
    "deadline_in",
    "deadline_of",
    "find",
    "merged",
    "refusals",
    "unable",
]

_TIMEOUT_HEADER = "x-request-timeout-ms"
_PATHS: Final[Sequence[tuple[type, str]]] = (
    (Completes, "completions"),
    (Chats, "chat/completions"),
    (Embeds, "embeddings"),
    (Reranks, "rerank"),
)


class Target(NamedTuple):
    """What answers for the name that a body has as ``model``."""

    endpoint: Endpoint
    adapter: str | None


def find(plane: DataPlane, name: object) -> Target:
    """The model, or the one that has an adapter, of that name. Raises `RequestError`."""
    if not isinstance(name, str) or not name:
        raise FieldError("model", f"the name of a model is expected; there are {_names(plane)}.")
    if name in plane:
        return Target(plane.endpoint(name), None)
    for entry in plane.index(ready_only=True):
        endpoint = plane.endpoint(entry.name)
        if isinstance(endpoint.model, Adapted) and name in endpoint.model.adapters:
            return Target(endpoint, name)
    raise ModelNotFoundError(f"The model {name!r} does not exist; there are {_names(plane)}.")


def _names(plane: DataPlane) -> str:
    return ", ".join(plane) or "none"


def unable(model: Model, what: str) -> FieldError:
    """The refusal of what a model cannot do; to ask it again would not help."""
    paths = [path for ability, path in _PATHS if isinstance(model, ability)]
    asked = f"it answers {', '.join(paths)}" if paths else "it answers none of OpenAI's endpoints"
    return FieldError("model", f"model {model.name} {what}; {asked}.")


def deadline_of(plane: DataPlane, headers: Mapping[str, str]) -> float | None:
    """The event loop's time after which nobody wants the answer. Raises `InvalidInputError`."""
    return deadline_in(headers, plane.settings.limits.request_seconds)


def deadline_in(headers: Mapping[str, str], seconds: float | None = None) -> float | None:
    """The same for a request that has `seconds` unless its headers say otherwise."""
    text = headers.get(_TIMEOUT_HEADER)
    if text is not None:
        try:
            seconds = float(text) / 1e3
        except ValueError:
            seconds = -1.0
        if not 0 <= seconds < float("inf"):
            raise InvalidInputError(f"{_TIMEOUT_HEADER} must be milliseconds, got {text!r}.")
    elif not seconds:
        return None
    return asyncio.get_running_loop().time() + seconds


@contextmanager
def refusals(endpoint: Endpoint) -> Iterator[None]:
    """Count a request that is wrong before the model is asked."""
    try:
        yield
    except RequestError as error:
        endpoint.metrics.failed(error.status)
        raise


async def begin(target: Target, asked: Asked) -> list[Generation]:
    """Begin all texts that are wanted, `n` of each prompt, or none. Raises `RequestError`."""
    _check_count(target, asked)
    begun: list[Generation] = []
    try:
        for start in _starts(target, asked):
            begun.append(await start())  # noqa: PERF401 - those begun are closed on failure
    except BaseException:
        for generation in begun:
            generation.close()
        raise
    return begun


def _check_count(target: Target, asked: Asked) -> None:
    model = target.endpoint.model
    prompts = max(1, len(asked.prompts))
    if not isinstance(model, Bounded) or prompts * asked.n <= model.most_texts:
        return
    raise FieldError(
        "prompt" if prompts > 1 else "n",
        f"{prompts * asked.n} texts are asked for (n = {asked.n} of each prompt); model "
        f"{model.name} makes up to {model.most_texts} of one request. Send fewer at a time.",
    )


def _starts(target: Target, asked: Asked) -> Iterator[Callable[[], Awaitable[Generation]]]:
    model, adapter = target.endpoint.model, target.adapter
    seed = asked.sampling.seed
    for index in range(asked.n):
        sampling = asked.sampling
        if seed is not None and index:
            sampling = replace(sampling, seed=seed + index)
        if asked.messages:
            if not isinstance(model, Chats):
                raise unable(model, "does not chat")
            yield partial(
                model.chat, asked.messages, sampling, adapter=adapter, template=asked.template
            )
            continue
        if not isinstance(model, Completes):
            raise unable(model, "does not complete texts")
        for prompt in asked.prompts:
            yield partial(model.complete, prompt, sampling, adapter=adapter, echo=asked.echo)


async def merged(generations: Sequence[Generation]) -> AsyncGenerator[tuple[int, Piece]]:
    """The pieces of several texts as they come, with the text's index."""
    if len(generations) == 1:
        async for piece in generations[0]:
            yield 0, piece
        return
    queue: asyncio.Queue[tuple[int, Piece] | Exception] = asyncio.Queue(len(generations))

    async def forward(index: int, generation: Generation) -> None:
        try:
            async for piece in generation:
                await queue.put((index, piece))
        except Exception as error:  # whatever it is, the one who waits for the queue is told
            await queue.put(error)

    tasks = [asyncio.create_task(forward(*each)) for each in enumerate(generations)]
    left = len(tasks)
    try:
        while left:
            item = await queue.get()
            if isinstance(item, Exception):
                raise item
            left -= item[1].finish is not None
            yield item
    finally:
        for task in tasks:
            task.cancel()
        await asyncio.gather(*tasks, return_exceptions=True)
