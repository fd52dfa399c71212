"""Where a model of a repository is, and what its settings file says of it."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple, Protocol

from predictors.serving.model import Model
from predictors.serving.settings import BatchSettings

__all__ = ["ModelSource", "Repository"]


class ModelSource(NamedTuple):
    """One version of a model; `implementation` empty means the server's own framework."""

    name: str
    version: str
    location: Path | str
    implementation: str = ""
    batching: BatchSettings | None = None


class Repository(Protocol):
    """What the data plane asks of a repository; both block and are called in threads."""

    def find(self) -> Sequence[ModelSource]:
        """The versions to be served, by the version policy. Raises `StorageError`."""

    def load(self, source: ModelSource) -> Model:
        """The loaded model. Raises `StartupError`."""
