"""A request and its answer, as every protocol hands them to the data plane and gets them back."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple

from predictors.serving.tensors import Tensor

__all__ = ["InferenceRequest", "InferenceResponse", "RequestedOutput"]


class RequestedOutput(NamedTuple):
    """An output the client names; `parameters` say how it wants it, e.g. ``binary_data``."""

    name: str
    parameters: Mapping[str, Any] | None = None


@dataclass(slots=True)
class InferenceRequest:
    """Named tensors, or for models that take it the body as it came.

    `rows` is the field of a V1 body whose rows the inputs are, in whose words it is refused.
    `headers` have lower-case names. `payload` is V1's parsed body, for models with
    `takes_payload`. `deadline` is the event loop's time after which nobody wants the answer.
    """

    inputs: Sequence[Tensor]
    outputs: Sequence[RequestedOutput] = ()
    id: str | None = None
    parameters: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: object = None
    deadline: float | None = None
    rows: str = ""

    @property
    def wanted(self) -> list[str]:
        """The names of the outputs asked for; empty means the model's default."""
        return [output.name for output in self.outputs]


@dataclass(slots=True)
class InferenceResponse:
    """The model's outputs; the data plane fills in whose answer it is, and the timings.

    `payload` is a V1 answer as it is, from models with `takes_payload`. `preprocess`, `queue`,
    `predict` and `postprocess` are seconds; `batch_rows` are the rows of the call it was part of,
    0 where it waited for no other.
    """

    outputs: Sequence[Tensor]
    parameters: Mapping[str, Any] = field(default_factory=dict)
    headers: Mapping[str, str] = field(default_factory=dict)
    payload: object = None
    id: str | None = None
    model_name: str = ""
    model_version: str = ""
    preprocess: float = 0.0
    queue: float = 0.0
    predict: float = 0.0
    postprocess: float = 0.0
    batch_rows: int = 0
