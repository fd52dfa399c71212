"""A subclass of ``mlserver.MLModel``, as MLServer calls it."""

from __future__ import annotations

import importlib
import inspect
import uuid
from collections.abc import AsyncIterator, Sequence
from pathlib import Path
from typing import Any, ClassVar

from predictors.custom.answers import specs_of
from predictors.custom.compat.messages import array_of_message
from predictors.custom.handlers import routes_of
from predictors.custom.user import UserModel
from predictors.serving.errors import ModelLoadError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.routes import Route
from predictors.serving.tensors import Tensor, declared_datatype

__all__ = ["MLServerModel"]


class MLServerModel(UserModel):
    """The object is made with its settings: those of model-settings.json where there is one.

    V1 bodies become one tensor named ``instances``, or one a column.
    """

    platform: ClassVar[str] = "mlserver"

    def __init__(self, name: str, kind: type, folder: Path, settings: Path | None) -> None:
        super().__init__(name, kind, folder)
        self._file = settings
        self._made: Any = None
        self._types: Any = None
        self._context: Any = None

    async def _load(self) -> None:
        self._types = importlib.import_module("mlserver.types")
        self._context = importlib.import_module("mlserver.context")
        settings = self._settings()
        made = self._made = self._kind(settings)
        with self._context.model_context(settings):
            ready = await self._calls(made.load)
        if ready is False:
            raise ModelLoadError(f"{self._kind.__qualname__}.load returned False.")
        made.ready = True
        self.inputs = specs_of(made.inputs or (), "inputs")
        self.outputs = specs_of(made.outputs or (), "outputs")

    @property
    def _batched(self) -> object:
        return self._made.settings

    async def _unload(self) -> None:
        await self._called(self._made, "unload")

    async def _infer(self, request: InferenceRequest) -> InferenceResponse:
        with self._context.model_context(self._made.settings):
            return _response(await self._calls(self._made.predict, self._request(request)))

    async def _stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        async def only() -> AsyncIterator[Any]:
            yield self._request(request)

        # Entered for each part anew: parts are asked for in contexts of their own.
        parts = self._made.predict_stream(only())
        while True:
            with self._context.model_context(self._made.settings):
                try:
                    part = await anext(parts)
                except StopAsyncIteration:
                    return
            yield _response(part)

    def routes(self) -> Sequence[Route]:
        """The endpoints of methods that are marked ``@custom_handler``."""
        return routes_of(self._made, self._running, self.name)

    def _settings(self) -> Any:
        """MLServer's settings of this model, with the uri and name they must have."""
        module = importlib.import_module("mlserver.settings")
        parameters = module.ModelParameters
        if self._file is not None:
            settings = module.ModelSettings.parse_file(str(self._file))
        else:
            path = f"{self._kind.__module__}.{self._kind.__qualname__}"
            settings = module.ModelSettings(name=self.name, implementation=path)
        settings.name = self.name
        if settings.parameters is None:
            settings.parameters = parameters()
        if not settings.parameters.uri:
            settings.parameters.uri = str(self._folder)
        if settings.parameters.version is None and self.version != "1":
            settings.parameters.version = self.version
        return settings

    def _request(self, request: InferenceRequest) -> Any:
        types = self._types
        headers = dict(request.headers.items())
        return types.InferenceRequest(
            id=request.id or str(uuid.uuid4()),
            parameters=types.Parameters(**{**request.parameters, "headers": headers}),
            inputs=[self._input(tensor) for tensor in request.inputs],
            outputs=[
                types.RequestOutput(
                    name=output.name,
                    parameters=types.Parameters(**output.parameters) if output.parameters else None,
                )
                for output in request.outputs
            ]
            or None,
        )

    def _input(self, tensor: Tensor) -> Any:
        types = self._types
        datatype = declared_datatype(tensor)
        return types.RequestInput(
            name=tensor.name,
            shape=list(tensor.array.shape),
            datatype="FP32" if datatype == "BF16" else datatype,
            parameters=types.Parameters(**tensor.parameters) if tensor.parameters else None,
            data=tensor.array.ravel().tolist(),
        )


def _response(answer: Any) -> InferenceResponse:
    if inspect.isawaitable(answer) or not hasattr(answer, "outputs"):
        raise TypeError(f"predict returned {type(answer).__name__}, not an InferenceResponse")
    parameters = _told(answer.parameters)
    headers = parameters.pop("headers", None) or {}
    return InferenceResponse(
        [_tensor(output) for output in answer.outputs],
        parameters=parameters,
        headers={str(key): str(value) for key, value in headers.items()},
    )


def _tensor(output: Any) -> Tensor:
    return Tensor(output.name, array_of_message(output), _told(output.parameters) or None)


def _told(parameters: Any) -> dict[str, Any]:
    """Parameters as a dict, without what is not set or private."""
    if parameters is None:
        return {}
    told = parameters.model_dump(exclude_none=True)
    return {key: value for key, value in told.items() if not key.startswith("_")}
