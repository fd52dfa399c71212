"""The contract between the data plane and a framework: `Model`, `RequestModel` and `Runtime`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import AsyncIterator, Awaitable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Protocol, runtime_checkable

from predictors.serving.errors import UnsupportedError
from predictors.serving.inference import InferenceRequest, InferenceResponse
from predictors.serving.settings import BatchSettings
from predictors.serving.tensors import Tensor, TensorSpec

if TYPE_CHECKING:
    from predictors.serving.routes import Route

__all__ = ["BatchSettings", "Model", "PlacesWorkers", "RequestModel", "Runtime"]


class Model(ABC):
    """One loaded model. `load` is called once, off the event loop; `ready` is the server's.

    `predict` runs in the event loop while it is fast, in a thread when it is not, so it must be
    callable from several threads at a time.
    """

    platform: ClassVar[str] = ""
    """The framework's name in V2 metadata."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    batchable: bool = False
    """Whether rows of axis 0 of all inputs may be joined with other requests', and outputs split
    again."""

    padding: Mapping[str, tuple[int, float]] = {}
    """By input, the axis along which joined requests may differ in length, and the value that
    fills the shorter ones."""

    trimmed: Mapping[str, int] = {}
    """By output, the axis that has that length again: answers are cut back along it."""

    gil_free: bool = False
    """Whether `predict` releases the interpreter's lock: then more threads do more work."""

    takes_payload: bool = False
    """Whether V1 bodies are handed over parsed, as `InferenceRequest.payload`, not as tensors."""

    deterministic: bool = True
    """Whether the same request always has the same answer, which a cache may then give."""

    batching: BatchSettings | None = None
    """The model's own settings, from its artifact; None leaves them to the server."""

    metadata_extra: Mapping[str, Any] = {}
    """Shown under ``parameters`` of V2 metadata, e.g. revision or task."""

    def __init__(self, name: str, version: str = "1") -> None:
        self.name = name
        self.version = version
        self.ready = False

    @abstractmethod
    def load(self) -> None:
        """Read the model and fill `inputs` and `outputs`. Raises `StartupError`."""

    def unload(self) -> None:  # noqa: B027 - most models have nothing to give back
        """Give back what `load` took and garbage collection does not; called off the loop."""

    @abstractmethod
    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Answer with the outputs named in `wanted`, or the default output when it is empty.

        Raises `InvalidInputError` where the input does not fit; whatever else it raises is
        answered as a 500 without details of the code.
        """

    def explain(
        self, request: InferenceRequest
    ) -> InferenceResponse | Awaitable[InferenceResponse]:
        """Explain the prediction for a request. A plain result is computed off the event loop.

        Raises `UnsupportedError` where the model has no explainer.
        """
        raise UnsupportedError(f"Model {self.name} has no explainer.")

    def routes(self) -> Sequence[Route]:
        """Further HTTP endpoints of this model, e.g. ``/openai/v1/completions``."""
        return ()


class RequestModel(Model):
    """A model that answers whole requests by itself: user code, generation, other servers."""

    deterministic = False

    @abstractmethod
    async def infer(self, request: InferenceRequest) -> InferenceResponse:
        """Answer one request, in the event loop: block nothing, await what takes long.

        Raises `RequestError`; whatever else it raises is answered as a 500.
        """

    def stream(self, request: InferenceRequest) -> AsyncIterator[InferenceResponse]:
        """Answer one request in parts. Raises `UnsupportedError` where the model cannot."""
        raise UnsupportedError(f"Model {self.name} does not stream its answers.")

    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Raises `UnsupportedError`: this model answers whole requests only."""
        raise UnsupportedError(f"Model {self.name} answers whole requests only.")


class Runtime(Protocol):
    """What a framework's package gives the server."""

    @property
    def name(self) -> str:
        """The framework's name, e.g. ``sklearn``."""

    def prepare(self) -> None:
        """Import what every model of the framework needs."""

    def warm(self) -> None:
        """Import all that models of the framework commonly need. Starts no thread."""

    def rehearse(self) -> None:
        """Load and ask a made-up model, so that the next first time is not. Starts no thread."""

    def model(self, name: str, folder: Path) -> Model:
        """The model kept in `folder`, not yet loaded. Raises `StartupError`."""


@runtime_checkable
class ExpectsOthers(Protocol):
    """A `Runtime` whose warm parent reads for its children what all of them would read."""

    def expect(self, args: Sequence[str], env: Mapping[str, str]) -> None:
        """Before a fork: another process like the one of these flags and variables may be asked
        for. Takes some 0.1 s at most and starts no thread."""


@runtime_checkable
class PlacesWorkers(Protocol):
    """A `Runtime` whose workers each have a device of their own."""

    def become_worker(self, index: int) -> None:
        """Choose that device, in the worker, before anything of the framework touches one."""
