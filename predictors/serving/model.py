"""The contract between the data plane and a framework: `Model` and `Runtime`."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Sequence
from pathlib import Path
from typing import ClassVar, Protocol

from predictors.serving.tensors import Tensor, TensorSpec

__all__ = ["Model", "Runtime"]


class Model(ABC):
    """One loaded model. `load` is called once, off the event loop; `ready` is the server's.

    `predict` runs in the event loop while it is fast, in a thread when it is not, so it must be
    callable from several threads at a time.
    """

    platform: ClassVar[str] = ""
    """The framework's name in V2 metadata."""

    inputs: tuple[TensorSpec, ...] = ()
    outputs: tuple[TensorSpec, ...] = ()

    def __init__(self, name: str, version: str = "1") -> None:
        self.name = name
        self.version = version
        self.ready = False

    @abstractmethod
    def load(self) -> None:
        """Read the model and fill `inputs` and `outputs`. Raises `StartupError`."""

    @abstractmethod
    def predict(self, inputs: Sequence[Tensor], wanted: Sequence[str]) -> list[Tensor]:
        """Answer with the outputs named in `wanted`, or the default output when it is empty.

        Raises `InvalidInputError` where the input does not fit; whatever else it raises is
        answered as a 500 without details of the code.
        """


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
