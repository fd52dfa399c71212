"""What a runtime gives the server whose models may be served without their framework."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Protocol, runtime_checkable

if TYPE_CHECKING:
    from predictors.serving.model import Model

__all__ = ["TwinChoice", "TwinRuntime"]


class TwinChoice(Protocol):
    """Whether a model is served by its twin."""

    @property
    def twin(self) -> Model | None:
        """The twin, not yet loaded; None when the original is to serve."""

    def note(self, original: Model) -> None:
        """Say in the original's metadata that it serves, and why."""

    async def translate(self) -> None:
        """Make a twin that was missed, for the next start. Cancelled, it leaves nothing behind."""


@runtime_checkable
class TwinRuntime(Protocol):
    """A runtime whose models may have twins."""

    def choose_twin(self, name: str, folder: Path) -> TwinChoice:
        """Asked before the framework is imported. Raises `StartupError`."""
