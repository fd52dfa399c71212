"""``kserve.Model``: the steps of a request, which subclasses override."""

from __future__ import annotations

import inspect
from enum import Enum
from typing import Any

from .errors import InvalidInput

__all__ = ["BaseKServeModel", "InferenceModel", "InferenceVerb", "Model"]


class InferenceVerb(Enum):
    """What is asked of a model."""

    EXPLAIN = 1
    PREDICT = 2


class BaseKServeModel:
    """A model's name and life."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.ready = False
        self.engine = False

    async def healthy(self) -> bool:
        """Whether it can answer."""
        return self.ready

    def load(self) -> bool:
        """Read the model. An override sets `self.ready`."""
        self.ready = True
        return self.ready

    def start(self) -> None:
        """Get ready, called by `ModelServer.start`."""
        self.ready = True

    def stop(self) -> None:
        """Give back what `load` took."""
        self.ready = False


class InferenceModel(BaseKServeModel):
    """A model that answers V1 and V2 requests."""

    def get_input_types(self) -> list[dict[str, Any]]:
        """The inputs in V2 metadata."""
        return []

    def get_output_types(self) -> list[dict[str, Any]]:
        """The outputs in V2 metadata."""
        return []


class Model(InferenceModel):
    """The class to inherit from. A step may be ``async def`` or plain."""

    def __init__(self, name: str, return_response_headers: bool = False) -> None:
        super().__init__(name)
        self.required_response_headers = return_response_headers
        self.enable_latency_logging = False
        self.explainer_host: str | None = None
        self.predictor_config: Any = None

    async def __call__(
        self,
        body: Any,
        headers: dict[str, str] | None = None,
        verb: InferenceVerb = InferenceVerb.PREDICT,
    ) -> tuple[Any, dict[str, str]]:
        """Answer one request, by all steps; the answer and its headers."""
        told: dict[str, str] = {}
        more = (told,) if self.required_response_headers else ()
        payload = self.validate(await _done(self.preprocess(body, headers)))
        if verb is InferenceVerb.EXPLAIN:
            result = await _done(self.explain(payload, headers))
        else:
            result = await _done(self.predict(payload, headers, *more))
        return await _done(self.postprocess(result, headers, *more)), told

    def validate(self, payload: Any) -> Any:
        """The payload, if what it must hold are lists. Raises `InvalidInput`."""
        if isinstance(payload, dict):
            for field in ("inputs", "instances"):
                if not isinstance(payload.get(field, []), list):
                    raise InvalidInput(f'Expected "{field}" to be a list')
        return payload

    async def preprocess(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        """What `predict` is given."""
        return payload

    async def predict(
        self,
        payload: Any,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> Any:
        """The answer; a subclass has its own."""
        raise NotImplementedError(
            f"{type(self).__name__} has no predict. If a predictor does it, serve the class by "
            "python -m transformers_pre --module FILE.py:CLASS."
        )

    async def postprocess(
        self,
        result: Any,
        headers: dict[str, str] | None = None,
        response_headers: dict[str, str] | None = None,
    ) -> Any:
        """What the client is answered."""
        return result

    async def explain(self, payload: Any, headers: dict[str, str] | None = None) -> Any:
        """The explanation; a subclass has its own."""
        raise NotImplementedError(f"{type(self).__name__} has no explain")


async def _done(result: Any) -> Any:
    return await result if inspect.isawaitable(result) else result
