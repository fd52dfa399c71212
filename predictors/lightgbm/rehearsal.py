"""One tiny model loaded and asked before any fork, so that no child pays for a first time."""

from __future__ import annotations

import os
from pathlib import Path

from predictors.lightgbm.model import BoosterModel, tiny_booster
from predictors.tabular.rehearsal import ask_both

__all__ = ["rehearse"]


def rehearse() -> None:
    """Load and ask it over both protocols, on one thread: a parent has no others."""
    with os.fdopen(os.memfd_create("rehearsal"), "w+b") as file:
        file.write(tiny_booster())
        file.flush()
        model = BoosterModel("rehearsal", Path(f"/proc/self/fd/{file.fileno()}"), threads=1)
        model.load()
    ask_both(model)
