"""How the server imports a library of boosted trees and finds a model's file."""

from __future__ import annotations

import importlib
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from predictors.serving.policy import Policy
from predictors.storage import find_one
from predictors.tabular.cpus import usable_cpus
from predictors.tabular.diet import lean_imports
from predictors.tabular.files import PICKLES

if TYPE_CHECKING:
    from predictors.serving.model import Model

__all__ = ["BoostingRuntime"]


class BoostingRuntime:
    """The runtime of a library's native files, and of its pickled wrappers.

    Its package, ``predictors.NAME``, has `BoosterModel` and `WrapperModel` in ``model`` and
    `rehearse` in ``rehearsal``.
    """

    def __init__(self, name: str, native: Sequence[str]) -> None:
        """``native`` are the names that files of the library's own format may have."""
        self.name = name
        self.twin_files = (
            *native,
            *(f"model{suffix}" for suffix in (*PICKLES, ".skops")),
        )

    def prepare(self) -> None:
        """Import the library and numpy."""
        with lean_imports():
            importlib.import_module(f"predictors.{self.name}.model")

    def warm(self) -> None:
        """The same, and ask a tiny model."""
        self.prepare()
        importlib.import_module("predictors.twins.choosing")
        self.rehearse()

    def rehearse(self) -> None:
        """Load and ask a tiny model."""
        importlib.import_module(f"predictors.{self.name}.rehearsal").rehearse()

    def model(self, name: str, folder: Path) -> Model:
        """The model of the one model file in `folder`. Raises `StartupError`."""
        models = importlib.import_module(f"predictors.{self.name}.model")
        file = find_one(folder, self.twin_files)
        made: Model
        if file.suffix in (*PICKLES, ".skops"):
            made = models.WrapperModel(
                name,
                file,
                threads=usable_cpus(),
                policy=Policy.of(os.environ),
                predict_proba=os.environ.get("PREDICT_PROBA", "").lower() == "true",
            )
        else:
            made = models.BoosterModel(name, file, threads=usable_cpus())
        return made
