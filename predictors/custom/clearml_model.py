"""A ClearML-Serving ``Preprocess`` class, alone or around a framework's model."""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any, ClassVar

import numpy as np

from predictors.custom.answers import answered, tensors_of
from predictors.custom.clearml_requests import sender
from predictors.custom.clearml_statistics import Statistics
from predictors.custom.engines import engine_of, model_files
from predictors.custom.signatures import construct
from predictors.custom.user import UserModel
from predictors.serving.codecs import encode_values
from predictors.serving.contract import check
from predictors.serving.errors import ModelLoadError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.model import Model
from predictors.serving.tensors import Tensor
from predictors.serving.tensors import encode as encode_tensor

__all__ = ["ClearMLModel"]

_FREQUENCY = "CLEARML_DEFAULT_METRIC_LOG_FREQ"


class ClearMLModel(UserModel):
    """preprocess, then process or the framework's model in the folder, then postprocess.

    As in ClearML one object answers in several threads at a time, and `state` is the request's own.
    """

    platform: ClassVar[str] = "clearml"
    takes_payload = True
    threads = 4

    def __init__(self, name: str, kind: type, folder: Path) -> None:
        super().__init__(name, kind, folder)
        self._made: Any = None
        self._engine: Model | None = None
        self._statistics = Statistics(name)
        self._frequency = 1.0

    async def _load(self) -> None:
        self._frequency = _frequency()
        made = self._made = construct(self._kind, {})
        made.send_request = sender(os.environ)
        if not callable(getattr(made, "process", None)):
            self._engine = engine_of(self.name, self._folder)
            if self._engine is None:
                raise ModelLoadError(
                    f"{self._kind.__qualname__} has no process, and {self._folder} holds no model "
                    "of a framework (model.joblib, .pkl, .json, .txt, .onnx, MLmodel) to ask."
                )
            self._engine.load()
            self._engine.ready = True
            self.metadata_extra = {"served_by": self._engine.platform}
        await self._called(made, "load", _local_file(self._folder))

    async def _unload(self) -> None:
        await self._called(self._made, "unload")
        if self._engine is not None:
            self._engine.unload()

    async def _infer(self, request: InferenceRequest) -> InferenceResponse:
        state: dict[str, Any] = {}
        collect = self._statistics.collect if random.random() < self._frequency else None
        data: Any = _body(request)
        made = self._made
        if callable(getattr(made, "preprocess", None)):
            data = await self._calls(made.preprocess, data, state, collect)
        if self._engine is None:
            data = await self._calls(made.process, data, state, collect)
        else:
            data = await self._calls(self._processed, self._engine, data)
        if callable(getattr(made, "postprocess", None)):
            data = await self._calls(made.postprocess, data, state, collect)
        return answered(data, request)

    def _processed(self, engine: Model, data: Any) -> Any:
        """The framework's answer for what preprocess returned; an array, or a dict of them."""
        asked = InferenceRequest(_tensors(data, engine))
        check(engine, asked)
        outputs = engine.predict(asked.inputs, ())
        if len(outputs) == 1:
            return outputs[0].array
        return {output.name: output.array for output in outputs}


def _tensors(data: Any, engine: Model) -> list[Tensor]:
    if isinstance(data, dict):
        return tensors_of(data)
    frame = encode_values(data)
    if frame is not None:
        return frame
    name = engine.inputs[0].name if len(engine.inputs) == 1 else "instances"
    return [Tensor(name, np.asarray(data))]


def _body(request: InferenceRequest) -> Any:
    """The body as it came; over V2 and gRPC as V2's JSON has it."""
    if request.payload is not None:
        return request.payload
    inputs = []
    for tensor in request.inputs:
        told = encode_tensor(tensor, column=False)
        if isinstance(told["data"], np.ndarray):
            told["data"] = told["data"].tolist()
        inputs.append(told)
    return {"id": request.id, "parameters": dict(request.parameters), "inputs": inputs}


def _local_file(folder: Path) -> str:
    """What `load` is given: the model's only file, else the folder."""
    files = model_files(folder)
    return str(files[0] if len(files) == 1 else folder)


def _frequency() -> float:
    text = os.environ.get(_FREQUENCY, "1")
    try:
        return float(text)
    except ValueError:
        raise ModelLoadError(f"{_FREQUENCY} is {text!r}; it must be a number.") from None
