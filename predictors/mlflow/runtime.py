"""How the server imports what MLflow models need, and finds their folder."""

from __future__ import annotations

import importlib
import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from predictors.serving.errors import StorageError
from predictors.serving.policy import Policy

if TYPE_CHECKING:
    from predictors.serving.model import Model

__all__ = ["RUNTIME", "MlflowRuntime"]

_FLAVORS: Final = ("sklearn", "xgboost", "lightgbm")


class MlflowRuntime:
    """The runtime of folders with a file MLmodel."""

    name = "mlflow"

    def prepare(self) -> None:
        """Import what reads MLmodel; a flavor's framework is imported when it is known."""
        importlib.import_module("predictors.mlflow.model")

    def warm(self) -> None:
        """Import MLflow's pyfunc, and the frameworks of flavors that are installed."""
        self.prepare()
        importlib.import_module("predictors.mlflow.pyfunc")
        for flavor in _FLAVORS:
            try:
                importlib.import_module(f"predictors.{flavor}.model")
            except ModuleNotFoundError:
                continue  # an image need not have every framework
        self.rehearse()

    def rehearse(self) -> None:
        """Rehearse scikit-learn, the most common flavor, where it is installed."""
        if "predictors.sklearn.model" in sys.modules:
            importlib.import_module("predictors.sklearn.rehearsal").rehearse()

    def model(self, name: str, folder: Path) -> Model:
        """The model in `folder`, or in its one subfolder. Raises `StorageError`."""
        from predictors.mlflow.model import MlflowModel

        return MlflowModel(name, _root(folder), policy=Policy.of(os.environ))


def _root(folder: Path) -> Path:
    """Where MLmodel is."""
    found = [file.parent for file in (folder / "MLmodel", *folder.glob("*/MLmodel"))]
    found = [path for path in found if (path / "MLmodel").is_file()]
    if len(found) != 1:
        inside = ", ".join(sorted(entry.name for entry in folder.iterdir())[:8])
        raise StorageError(
            f"{folder} must hold one MLflow model, a folder with a file MLmodel; "
            f"found {len(found)}. It holds: {inside or 'nothing'}."
        )
    return found[0]


RUNTIME: Final = MlflowRuntime()
