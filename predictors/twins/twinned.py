"""What runtimes have in common whose models may be served by twins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from predictors.twins.choosing import Choice, FileRuntime

__all__ = ["Twinned"]


class Twinned:
    """Gives a `FileRuntime` what makes it a `TwinRuntime`."""

    def choose_twin(self: FileRuntime, name: str, folder: Path) -> Choice:
        """Whether the model in `folder` is served by its twin. Raises `ModelLoadError`."""
        # Imported late: it has a price that a runtime without models need not pay.
        from predictors.twins.choosing import choose

        return choose(self, name, folder, os.environ)
