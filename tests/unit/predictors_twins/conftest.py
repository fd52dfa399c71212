"""A fitted estimator's twin, made and read back as a server would."""

from __future__ import annotations

import warnings
from collections.abc import Callable, Iterator
from typing import Any

import joblib
import pytest

from predictors.sklearn.model import SklearnModel
from predictors.twins.artifact import packed, unpacked
from predictors.twins.making import Verdict, make
from predictors.twins.model import TwinModel

Judged = Callable[..., tuple[Verdict, TwinModel]]


@pytest.fixture(scope="session")
def judged(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Judged]:
    """``judged(estimator, rows, wanted, checks=100)``: the verdict on a fitted estimator's twin,
    and the twin as a server would have it.
    """
    twins: list[TwinModel] = []

    def judge(
        estimator: Any, rows: Any, wanted: Any, checks: int = 100
    ) -> tuple[Verdict, TwinModel]:
        folder = tmp_path_factory.mktemp("twin")
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            estimator.fit(rows, wanted)
            file = folder / "model.joblib"
            joblib.dump(estimator, file)
            original = SklearnModel("m", file)
            original.load()
            verdict = make(original, file, folder, checks=checks)
        assert verdict.description is not None, verdict.reason
        kept = folder / "kept.twin"
        kept.write_bytes(packed(verdict.description))
        twin = TwinModel("m", file, unpacked(kept), lambda _: original)
        twin.load()
        twins.append(twin)
        return verdict, twin

    yield judge
    for twin in twins:
        twin.unload()
