"""A fitted estimator's twin, made and read back as a server would."""

from __future__ import annotations

import tempfile
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import joblib
import pytest

from predictors.sklearn.model import SklearnModel
from predictors.twins.artifact import packed, unpacked
from predictors.twins.making import Verdict, make
from predictors.twins.model import TwinModel


@pytest.fixture(scope="session")
def judged() -> Callable[..., tuple[Verdict, TwinModel]]:
    """``judged(estimator, rows, wanted, checks=100)``: the verdict on its twin, and the twin."""
    return _judged


def _judged(estimator: Any, rows: Any, wanted: Any, checks: int = 100) -> tuple[Verdict, TwinModel]:
    """The verdict on a fitted estimator's twin, and the twin as a server would have it."""
    with warnings.catch_warnings(), tempfile.TemporaryDirectory() as folder:
        warnings.simplefilter("ignore")
        estimator.fit(rows, wanted)
        file = Path(folder, "model.joblib")
        joblib.dump(estimator, file)
        original = SklearnModel("m", file)
        original.load()
        verdict = make(original, file, Path(folder), checks=checks)
        assert verdict.description is not None, verdict.reason
        kept = Path(folder, "kept.twin")
        kept.write_bytes(packed(verdict.description))
        twin = TwinModel("m", file, unpacked(kept), lambda _: original)
        twin.load()
        twin.unload()
        return verdict, twin
