"""What all models of user code share: their loop, their failures, their life."""

from __future__ import annotations

import logging
import os
from abc import abstractmethod
from collections.abc import AsyncIterator, Awaitable
from pathlib import Path
from typing import Any

from predictors.custom.batches import Answer, Batches, batches_asked
from predictors.custom.calls import Calls
from predictors.custom.failures import failed, reason
from predictors.custom.loops import UserLoop
from predictors.custom.metrics import expose_prometheus
from predictors.serving.errors import ModelLoadError, StartupError, UnsupportedError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import RequestModel

__all__ = ["UserModel"]

_log = logging.getLogger(__name__)


class UserModel(RequestModel):
    """A class of the user's as a model. What starts with an underscore runs in its loop.

    `folder` is where the model's files are, which the process may read as long as it loads.
    """

    threads = 1

    def __init__(self, name: str, kind: type, folder: Path) -> None:
        super().__init__(name)
        self._kind = kind
        self._folder = folder
        self._loop: UserLoop | None = None
        self._calls = Calls()
        self._answered: Answer = self._infer

    def load(self) -> None:
        """Make the object and let it load. Raises `ModelLoadError` naming class and reason."""
        loop = self._loop = UserLoop(self.name)
        try:
            loop.run(self._load())
            asked = batches_asked(self._batched, os.environ)
            if asked is not None:
                self._answered = Batches(self.name, asked, self._infer)
        except StartupError:
            loop.stop()
            raise
        except Exception as error:
            loop.stop()
            _log.debug("model %s cannot be loaded", self.name, exc_info=error)
            raise ModelLoadError(f"{self._kind.__qualname__}: {reason(error)}") from error
        if self.threads > 1:
            self._calls = Calls(self.threads)
        expose_prometheus()

    def unload(self) -> None:
        """Let the object give back what it took, and end its threads."""
        loop, self._loop = self._loop, None
        if loop is None:
            return
        try:
            loop.run(self._unload())
        finally:
            self._calls.close()
            loop.stop()

    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Answer one request. Raises `RequestError`."""
        try:
            return await self._running.ask(_awaited(self._answered(request)))
        except Exception as error:
            raise failed(self.name, error) from error

    async def stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        """Answer one request in as many parts as the code gives. Raises `RequestError`."""
        parts = self._running.iterate(self._stream(request))
        try:
            async for part in parts:
                yield part
        except Exception as error:
            raise failed(self.name, error) from error

    async def explain(self, request: InferenceRequest) -> InferenceResponse:
        """Explain one request. Raises `RequestError`."""
        try:
            return await self._running.ask(self._explain(request))
        except Exception as error:
            raise failed(self.name, error) from error

    @property
    def _running(self) -> UserLoop:
        if self._loop is None:
            raise UnsupportedError(f"Model {self.name} is not loaded.")
        return self._loop

    @property
    def _batched(self) -> object:
        """What says by its attributes how requests are joined; None where they never are."""
        return None

    @abstractmethod
    async def _load(self) -> None:
        """Make the user's object, and load it."""

    async def _unload(self) -> None:
        """Let the user's object give back what it took."""

    @abstractmethod
    async def _infer(self, request: InferenceRequest) -> InferenceResponse:
        """Answer."""

    async def _stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        yield await self._infer(request)

    async def _explain(self, request: InferenceRequest) -> InferenceResponse:
        raise UnsupportedError(f"Model {self.name} has no explainer.")

    async def _called(self, made: Any, method: str, *args: Any) -> Any:
        """Call a method of the user's object if it has it; None where it has not."""
        function = getattr(made, method, None)
        return await self._calls(function, *args) if callable(function) else None


async def _awaited(answering: Awaitable[InferenceResponse]) -> InferenceResponse:
    return await answering
