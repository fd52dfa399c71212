"""The data plane under all protocols: which models there are, and running one of them."""

from __future__ import annotations

import inspect
import logging
from collections.abc import AsyncIterator, Iterator, Mapping, Sequence
from time import perf_counter
from typing import Any, NamedTuple

from predictors.serving.errors import (
    InferenceError,
    ModelNotFoundError,
    ModelNotReadyError,
    RequestError,
    UnsupportedError,
)
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import Model, RequestModel
from predictors.serving.tensors import Tensor

__all__ = ["DataPlane", "IndexEntry", "infer"]

_log = logging.getLogger(__name__)


class IndexEntry(NamedTuple):
    """A line of the repository's index; `state` is UNAVAILABLE, LOADING, READY or UNLOADING."""

    name: str
    version: str
    state: str
    reason: str = ""


class DataPlane:
    """The models of a server, by name. A name is there from the start; `ready` tells the rest."""

    def __init__(self, names: Sequence[str] = ()) -> None:
        self._models: dict[str, Model | None] = dict.fromkeys(names)

    def __iter__(self) -> Iterator[str]:
        return iter(self._models)

    def publish(self, model: Model) -> None:
        """Make a loaded model answer from now on."""
        model.ready = True
        self._models[model.name] = model

    def ready(self) -> bool:
        """Whether every model of this server answers."""
        return all(model is not None and model.ready for model in self._models.values())

    def versions(self, name: str) -> list[str]:
        """The versions of a model that answer, oldest first. Raises `ModelNotFoundError`."""
        return [self.get(name).version]

    def get(self, name: str, version: str | None = None) -> Model:
        """The ready model of that name (and version).

        Raises `ModelNotFoundError` or `ModelNotReadyError`.
        """
        try:
            model = self._models[name]
        except KeyError:
            raise ModelNotFoundError(f"Model with name {name} does not exist.") from None
        if model is None or not model.ready:
            raise ModelNotReadyError(f"Model with name {name} is not ready.")
        if version is not None and version != model.version:
            raise ModelNotFoundError(f"Model {name} has no version {version}.")
        return model

    async def infer(
        self, name: str, version: str | None, request: InferenceRequest
    ) -> InferenceResponse:
        """Answer a request. Raises `RequestError`."""
        model = self.get(name, version)
        started = perf_counter()
        if isinstance(model, RequestModel):
            response = await _guarded(model, model.infer(request))
        else:
            response = InferenceResponse(infer(model, request.inputs, request.wanted))
        response.predict = perf_counter() - started
        return _signed(response, model, request)

    async def stream(
        self, name: str, version: str | None, request: InferenceRequest
    ) -> AsyncIterator[InferenceResponse]:
        """Answer a request in parts; a model that cannot answers in one. Raises `RequestError`."""
        model = self.get(name, version)
        if not isinstance(model, RequestModel):
            yield await self.infer(name, version, request)
            return
        async for response in model.stream(request):
            yield _signed(response, model, request)

    async def explain(
        self, name: str, version: str | None, request: InferenceRequest
    ) -> InferenceResponse:
        """Explain the model's answer to a request. Raises `RequestError`."""
        model = self.get(name, version)
        explained = model.explain(request)
        if inspect.isawaitable(explained):
            explained = await explained
        return _signed(explained, model, request)

    def index(self, ready_only: bool = False) -> list[IndexEntry]:
        """Every model and version this server knows, loaded or not."""
        entries = [
            IndexEntry(name, model.version, "READY")
            if model is not None and model.ready
            else IndexEntry(name, "", "LOADING")
            for name, model in self._models.items()
        ]
        return [entry for entry in entries if not ready_only or entry.state == "READY"]

    async def load(self, name: str, parameters: Mapping[str, Any] | None = None) -> None:
        """Load a model of the repository, or load it again. Raises `RequestError`."""
        raise UnsupportedError("This server has no model repository.")

    async def unload(self, name: str) -> None:
        """Take a model away. Raises `RequestError`."""
        raise UnsupportedError("This server has no model repository.")


def _signed(
    response: InferenceResponse, model: Model, request: InferenceRequest
) -> InferenceResponse:
    response.id = request.id
    response.model_name = model.name
    response.model_version = model.version
    return response


async def _guarded(model: Model, answering: Any) -> InferenceResponse:
    try:
        answer: InferenceResponse = await answering
    except RequestError:
        raise
    except Exception as error:
        raise _failure(model, error) from error
    return answer


def infer(model: Model, inputs: Sequence[Tensor], wanted: Sequence[str] = ()) -> list[Tensor]:
    """Run the model; whatever it raises beyond `RequestError` becomes an `InferenceError`.

    The client is told the kind of failure only; the whole of it is in the log.
    """
    try:
        return model.predict(inputs, wanted)
    except RequestError:
        raise
    except Exception as error:
        raise _failure(model, error) from error


def _failure(model: Model, error: Exception) -> InferenceError:
    _log.exception("model %s failed", model.name)
    return InferenceError(
        f"Model {model.name} failed with {type(error).__name__}; see the predictor's log."
    )
