"""A subclass of ``kserve.Model`` as a transformer: its preprocess and postprocess are the steps."""

from __future__ import annotations

import asyncio
import importlib
import inspect
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

from predictors.custom.failures import failed
from predictors.custom.kserve_types import (
    infer_request,
    infer_response,
    read_request,
    read_response,
)
from predictors.custom.signatures import construct
from predictors.serving.errors import ModelLoadError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from transformers_pre.transformer import Transformer

__all__ = ["KServeSteps", "is_kserve"]


def is_kserve(kind: type) -> bool:
    """Whether a class derives from ``kserve.Model``, whichever kserve that is."""
    return any(
        base.__module__.partition(".")[0] == "kserve" and base.__name__ == "Model"
        for base in kind.__mro__[1:]
    )


class KServeSteps(Transformer):
    """V1 bodies are handed over as dicts, tensors as ``kserve.InferRequest``, answers likewise."""

    def __init__(
        self,
        kind: type,
        name: str,
        folder: Path = Path(),
        options: Mapping[str, str] | None = None,
    ) -> None:
        """``kind`` is made with ``name`` and those options that its constructor has.

        Raises `ModelLoadError` where it needs more, or predicts by itself.
        """
        super().__init__(name, folder, options)
        kserve = self._kserve = importlib.import_module("kserve")
        self._made = construct(kind, {**self.options, "name": name})
        if kind.predict is not kserve.Model.predict:  # type: ignore[attr-defined]
            raise ModelLoadError(
                f"{kind.__qualname__} has a predict of its own, and a transformer's predictor "
                "predicts. Serve it by python -m predictors.custom, or take its predict out."
            )

    def load(self) -> None:
        """Let the object read what it needs."""
        self._made.load()

    async def preprocess(
        self, payload: dict[str, Any] | InferenceRequest, headers: Mapping[str, str]
    ) -> Any:
        """What the object's own step makes of the request. Raises `RequestError`."""
        given: Any = payload
        if isinstance(payload, InferenceRequest):
            given = infer_request(self._kserve, self.name, payload)
        made = await self._step(self._made.preprocess, given, headers)
        return read_request(made) if isinstance(made, self._kserve.InferRequest) else made

    async def postprocess(
        self, response: dict[str, Any] | InferenceResponse, headers: Mapping[str, str]
    ) -> Any:
        """What the object's own step makes of the answer. Raises `RequestError`."""
        given: Any = response
        if isinstance(response, InferenceResponse):
            given = infer_response(self._kserve, self.name, response)
        made = await self._step(self._made.postprocess, given, headers)
        return read_response(made) if isinstance(made, self._kserve.InferResponse) else made

    async def _step(
        self, step: Callable[..., Any], given: object, headers: Mapping[str, str]
    ) -> Any:
        try:
            if inspect.iscoroutinefunction(step):
                return await step(given, dict(headers))
            made = await asyncio.to_thread(step, given, dict(headers))
            return await made if inspect.isawaitable(made) else made
        except Exception as error:
            raise failed(self.name, error) from error
