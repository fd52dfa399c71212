"""A model that can do everything, in known words, and a server around it."""

from __future__ import annotations

import asyncio
import socket
from collections.abc import AsyncIterator, Mapping, Sequence
from typing import Any

import httpx
import numpy as np
import pytest
from numpy.typing import NDArray

from predictors.openai.abilities import Generation, Message, Piece, Prompt, Sampling, TokenLogprob
from predictors.serving.application import Application
from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import InferenceError, InvalidInputError, OverloadedError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.listener import Listener
from predictors.serving.model import RequestModel
from predictors.serving.router import Router


class Words:
    """A generation of given words, each after `gate` let it."""

    def __init__(self, prompt: Prompt, words: Sequence[str], sampling: Sampling, echo: str) -> None:
        self.prompt_tokens = len(prompt.split()) if isinstance(prompt, str) else len(prompt)
        self.words = words
        self.sampling = sampling
        self.echo = echo
        self.closed = asyncio.Event()
        self.gate = asyncio.Semaphore(1000)

    async def __aiter__(self) -> AsyncIterator[Piece]:
        """The words."""
        if self.echo:
            yield Piece(self.echo, 0)
        for index, word in enumerate(self.words):
            await self.gate.acquire()
            if word == "fail":
                raise InferenceError("The engine failed.")
            if word == "crash ":
                raise KeyError(word)
            told = ()
            if self.sampling.logprobs is not None:
                top = [(word, -0.5), ("other", -1.0)][: self.sampling.logprobs]
                told = (TokenLogprob(word, -0.5, top),)  # type: ignore[assignment]
            last = index == len(self.words) - 1
            yield Piece(word, 1, told, "stop" if last else None)

    def close(self) -> None:
        """Note it."""
        self.closed.set()


class Able(RequestModel):
    """Says its prompt backwards; `asked` is what it was asked."""

    adapters: Sequence[str] = ("able-lora",)
    most_texts = 8

    def __init__(self, name: str = "able") -> None:
        super().__init__(name)
        self.asked: list[tuple[Any, Sampling, str | None, Mapping[str, Any] | None]] = []
        self.made: list[Words] = []
        self.held = False
        self.begun = asyncio.Event()

    def load(self) -> None:
        """Nothing to load."""

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Not asked here."""
        raise NotImplementedError

    def _begun(self, prompt: Prompt, sampling: Sampling, echo: str = "") -> Generation:
        if prompt == "full":
            raise OverloadedError("5 texts wait already.")
        if prompt == "long":
            raise InvalidInputError("The prompt has 9 tokens; the context is 8.")
        words = [f"{word} " for word in str(prompt).split()[::-1]]
        if sampling.max_tokens is not None:
            words = words[: sampling.max_tokens]
        made = Words(
            prompt, [word.strip() if word == "fail " else word for word in words], sampling, echo
        )
        if self.held:
            made.gate = asyncio.Semaphore(0)
        self.made.append(made)
        self.begun.set()
        return made

    async def complete(
        self, prompt: Prompt, sampling: Sampling, *, adapter: str | None = None, echo: bool = False
    ) -> Generation:
        """The words backwards."""
        self.asked.append((prompt, sampling, adapter, None))
        return self._begun(prompt, sampling, f"{prompt} " if echo else "")

    async def chat(
        self,
        messages: Sequence[Message],
        sampling: Sampling,
        *,
        adapter: str | None = None,
        template: Mapping[str, Any] | None = None,
    ) -> Generation:
        """The last message's words backwards."""
        self.asked.append((messages, sampling, adapter, template))
        return self._begun(str(messages[-1]["content"]), sampling)

    async def embed(
        self, texts: Sequence[Prompt], dimensions: int | None = None
    ) -> tuple[NDArray[np.float32], int]:
        """Lengths."""
        if dimensions not in (None, 1, 2):
            raise InvalidInputError(f"dimensions is {dimensions}; model able makes vectors of 2.")
        rows = np.array([[len(text), 0.5] for text in texts], dtype=np.float32)
        sizes = (len(text.split() if isinstance(text, str) else text) for text in texts)
        return rows[:, :dimensions], sum(sizes)

    async def rerank(self, query: str, documents: Sequence[str]) -> tuple[Sequence[float], int]:
        """Documents that have the query first."""
        return [float(query in document) for document in documents], 7


@pytest.fixture
def model() -> Able:
    return Able()


@pytest.fixture
async def url(model: Able) -> AsyncIterator[str]:
    """Where it is served."""
    made = DataPlane([model.name])
    sock = socket.create_server(("127.0.0.1", 0))
    port = sock.getsockname()[1]
    listener = Listener(Application(made, Router(made, {"name": "test"})), sock)
    made.publish(model)
    listener.start()
    yield f"http://127.0.0.1:{port}"
    await listener.drain(5)


@pytest.fixture
async def client(url: str) -> AsyncIterator[httpx.AsyncClient]:
    async with httpx.AsyncClient(base_url=url, timeout=20, trust_env=False) as made:
        yield made
