"""The methods of `inference.GRPCInferenceService` and `grpc.health.v1.Health`, on a data plane."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Callable, Mapping, Sequence
from time import perf_counter
from typing import Any, Final, TypeVar

import grpc
from google.protobuf.message import DecodeError, Message

from predictors.serving.dataplane import DataPlane
from predictors.serving.errors import (
    InvalidInputError,
    RepositoryError,
    RequestError,
    StorageError,
)
from predictors.serving.grpc import encoding, parameters
from predictors.serving.grpc.decoding import decode, parsed
from predictors.serving.grpc.framing import framed
from predictors.serving.grpc.messages import (
    HealthCheckRequest,
    HealthCheckResponse,
    ModelInferRequest,
    ModelMetadataRequest,
    ModelReadyRequest,
    ModelReadyResponse,
    RepositoryIndexRequest,
    RepositoryIndexResponse,
    RepositoryModelRequest,
    RepositoryModelResponse,
    ServerLiveResponse,
    ServerMetadataResponse,
    ServerReadyResponse,
)
from predictors.serving.grpc.statuses import code_of, trailers_of
from predictors.serving.observation import Call, Observers

__all__ = ["GRPC", "Context", "Service", "deadline_of", "headers_of", "observed", "refuse"]

_log = logging.getLogger(__name__)

Context = grpc.aio.ServicerContext[bytes, bytes]
_M = TypeVar("_M", bound=Message)
_Method = Callable[[bytes, Context], Awaitable[bytes]]

INFERENCE: Final = "inference.GRPCInferenceService"
GRPC: Final = "application/grpc"
HEALTH: Final = "grpc.health.v1.Health"


class Service:
    """Answers the bytes of a request with the bytes of a response.

    Messages are read here and not by grpcio, which answers INTERNAL where one is malformed.
    """

    def __init__(self, plane: DataPlane, server: Mapping[str, Any]) -> None:
        self._plane = plane
        self._server = server
        self.draining = False

    def methods(self) -> dict[str, _Method]:
        """The unary methods, by their paths."""
        inference = {
            "ServerLive": self._server_live,
            "ServerReady": self._server_ready,
            "ServerMetadata": self._server_metadata,
            "ModelReady": self._model_ready,
            "ModelMetadata": self._model_metadata,
            "RepositoryIndex": self._repository_index,
            "RepositoryModelLoad": self._repository_load,
            "RepositoryModelUnload": self._repository_unload,
        }
        paths = {f"/{INFERENCE}/{name}": _guarded(method) for name, method in inference.items()}
        paths[f"/{INFERENCE}/ModelInfer"] = self.model_infer
        paths[f"/{HEALTH}/Check"] = _guarded(self._health)
        return paths

    async def model_infer(self, data: bytes, context: Context) -> bytes:
        """One request, one answer: raw where the request was, typed where it was typed."""
        call = None
        try:
            message = parsed(data)
            headers = headers_of(context)
            if self._plane.observers is not None:
                call = observed(self._plane.observers, message, headers, data)
            started = perf_counter()
            request = decode(message, headers, deadline_of(context))
            preprocess = perf_counter() - started
            infer = self._plane.infer(message.model_name, message.model_version or None, request)
            response = await (infer if call is None else call.within(infer))
            response.preprocess = preprocess
            started = perf_counter()
            raw = bool(message.raw_input_contents)
            answer = encoding.encode(response, raw=raw).SerializeToString()
            response.postprocess = perf_counter() - started
            if call is not None:
                call.version = response.model_version
                call.answered(framed([answer]), GRPC, response)
            metrics = self._plane.metrics.model(response.model_name)
            metrics.version(response.model_version).succeeded(response)
            return answer
        except RequestError as error:
            if call is not None:
                call.refused(error.status, str(error))
            await refuse(context, error)
        except Exception:
            _log.exception("unforeseen error on ModelInfer")
            await refuse(context, RequestError("Internal server error."))
        finally:
            if call is not None:
                call.end()
        raise AssertionError("unreachable: refusing raises")

    async def _server_live(self, data: bytes) -> Message:
        return ServerLiveResponse(live=True)

    async def _server_ready(self, data: bytes) -> Message:
        return ServerReadyResponse(ready=self._ready())

    async def _server_metadata(self, data: bytes) -> Message:
        server = self._server
        return ServerMetadataResponse(
            name=server["name"], version=server["version"], extensions=server["extensions"]
        )

    async def _model_ready(self, data: bytes) -> Message:
        message = _read(ModelReadyRequest, data)
        ready = any(
            entry.name == message.name and message.version in ("", entry.version)
            for entry in self._plane.index(ready_only=True)
        )
        if not ready and message.name not in list(self._plane):
            self._plane.get(message.name)
        return ModelReadyResponse(ready=ready)

    async def _model_metadata(self, data: bytes) -> Message:
        message = _read(ModelMetadataRequest, data)
        model = self._plane.get(message.name, message.version or None)
        return encoding.metadata(model, self._plane.versions(message.name))

    async def _repository_index(self, data: bytes) -> Message:
        message = _read(RepositoryIndexRequest, data)
        await self._plane.discover()
        response = RepositoryIndexResponse()
        for entry in self._plane.index(ready_only=message.ready):
            response.models.add(
                name=entry.name, version=entry.version, state=entry.state, reason=entry.reason
            )
        return response

    async def _repository_load(self, data: bytes) -> Message:
        name, values = _repository_request(data)
        await self._plane.load(name, values)
        return RepositoryModelResponse(model_name=name, done=True)

    async def _repository_unload(self, data: bytes) -> Message:
        name, _ = _repository_request(data)
        await self._plane.unload(name)
        return RepositoryModelResponse(model_name=name, done=True)

    async def _health(self, data: bytes) -> Message:
        """The server's state, or a model's by its name."""
        service = _read(HealthCheckRequest, data).service
        if service in ("", INFERENCE):
            serving = self._ready()
        elif service in list(self._plane):
            serving = any(entry.name == service for entry in self._plane.index(ready_only=True))
        else:
            return HealthCheckResponse(status=HealthCheckResponse.SERVICE_UNKNOWN)
        states = HealthCheckResponse
        return HealthCheckResponse(status=states.SERVING if serving else states.NOT_SERVING)

    def _ready(self) -> bool:
        return not self.draining and self._plane.ready()


def _guarded(method: Callable[[bytes], Awaitable[Message]]) -> _Method:
    async def answer(data: bytes, context: Context) -> bytes:
        try:
            return (await method(data)).SerializeToString()
        except RequestError as error:
            await refuse(context, error)
        except StorageError as error:
            told = f"The model repository cannot be read: {error}"
            await refuse(context, RepositoryError(told))
        except Exception:
            _log.exception("unforeseen error on %s", method.__name__)
            await refuse(context, RequestError("Internal server error."))
        raise AssertionError("unreachable: refusing raises")

    return answer


async def refuse(context: Context, error: RequestError) -> None:
    """End the call with the status of `error`; raises what grpcio ends the handler with."""
    await context.abort(code_of(error), str(error), trailers_of(error))


def observed(
    observers: Observers,
    message: ModelInferRequest,
    headers: Mapping[str, str],
    data: bytes,
    verb: str = "infer",
) -> Call | None:
    """Tell the observers of an inference request."""
    method = f"/{INFERENCE}/ModelInfer"
    call = Call("grpc", method, message.model_name, message.model_version, headers)
    call.received(data)
    return observers.begin(call, verb)


def headers_of(context: Context) -> dict[str, str]:
    """The call's metadata as headers; binary ones, whose names end in -bin, are left out."""
    metadata: Sequence[tuple[str, str | bytes]] = context.invocation_metadata() or ()  # type: ignore[assignment]
    return {name: value for name, value in metadata if isinstance(value, str)}


def deadline_of(context: Context) -> float | None:
    """The event loop's time until which the client waits."""
    # None without a deadline, which grpcio's types do not say.
    remaining: float | None = context.time_remaining()
    if remaining is None:
        return None
    return asyncio.get_running_loop().time() + remaining


def _repository_request(data: bytes) -> tuple[str, dict[str, Any]]:
    """Name and parameters. In Triton's and MLServer's form the name is field 2, in KServe's 1."""
    message = _read(RepositoryModelRequest, data)
    name = message.model_name or message.repository_or_model_name
    if not name:
        raise InvalidInputError("model_name must be a non-empty string.")
    return name, parameters.read(message.parameters)


def _read(kind: type[_M], data: bytes) -> _M:
    try:
        return kind.FromString(data)
    except DecodeError:
        name = kind.DESCRIPTOR.name
        raise InvalidInputError(f"The message is no {name}, or is cut off.") from None
