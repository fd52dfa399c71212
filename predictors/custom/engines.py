"""The framework whose model lies beside a ``preprocess.py``."""

from __future__ import annotations

import importlib
from pathlib import Path
from typing import Final

from predictors.serving.errors import ModelLoadError
from predictors.serving.model import Model, Runtime

__all__ = ["engine_of", "model_files"]

_FRAMEWORKS: Final = {
    ".joblib": "sklearn",
    ".pkl": "sklearn",
    ".pickle": "sklearn",
    ".skops": "sklearn",
    ".json": "xgboost",
    ".ubj": "xgboost",
    ".bst": "xgboost",
    ".xgb": "xgboost",
    ".txt": "lightgbm",
    ".lgb": "lightgbm",
    ".onnx": "onnx",
}
_MLFLOW: Final = "MLmodel"


def model_files(folder: Path) -> list[Path]:
    """The files of a folder that are models by their name: ``model.<suffix>``."""
    if folder.is_file():
        return [folder]
    return sorted(
        file for file in folder.glob("model.*") if file.is_file() and file.suffix in _FRAMEWORKS
    )


def engine_of(name: str, folder: Path) -> Model | None:
    """The framework's model in `folder`, not yet loaded; None if there is none.

    Raises `ModelLoadError` where there are several, or the framework is not installed.
    """
    if (folder / _MLFLOW).is_file():
        return _made("mlflow", name, folder)
    files = model_files(folder)
    if not files:
        return None
    if len(files) > 1:
        listed = ", ".join(file.name for file in files)
        raise ModelLoadError(f"{folder} holds several models ({listed}); one is expected.")
    return _made(_FRAMEWORKS[files[0].suffix], name, files[0])


def _made(framework: str, name: str, path: Path) -> Model:
    try:
        runtime: Runtime = importlib.import_module(f"predictors.{framework}.runtime").RUNTIME
        runtime.prepare()
    except ImportError as error:
        raise ModelLoadError(f"{path} needs {error.name}, which is not installed here.") from error
    return runtime.model(name, path)
