"""One tiny model loaded and asked before any fork, so that no child pays for a first time."""

from __future__ import annotations

from predictors.tabular.rehearsal import rehearse_file
from predictors.xgboost.model import BoosterModel, tiny_booster

__all__ = ["rehearse"]


def rehearse() -> None:
    """Load and ask it over both protocols, on one thread: a parent has no others."""
    rehearse_file(tiny_booster(), lambda file: BoosterModel("rehearsal", file, threads=1))
