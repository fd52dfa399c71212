"""A flower on which the two iris models disagree: its answer tells which of them gave it."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

__all__ = ["Disagreement", "find_disagreement"]


@dataclass(frozen=True)
class Disagreement:
    """One row, and the label each model gives it."""

    row: list[float]
    first: int
    second: int


def find_disagreement(models: Path) -> Disagreement:
    """Search rows like those of the data set; raises LookupError when the models always agree."""
    import joblib
    import numpy as np

    first = joblib.load(models / "iris" / "model.joblib")
    second = joblib.load(models / "iris-v2" / "model.joblib")
    rows = np.random.default_rng(0).uniform([4, 2, 1, 0.1], [8, 4.5, 7, 2.5], (5000, 4)).round(1)
    one, other = first.predict(rows), second.predict(rows)
    differing = np.flatnonzero(one != other)
    if not differing.size:
        raise LookupError("the two models answer alike everywhere")
    found = int(differing[0])
    return Disagreement(rows[found].tolist(), int(one[found]), int(other[found]))
