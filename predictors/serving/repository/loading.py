"""Making a `Model` of a source, by the runtime its settings name."""

from __future__ import annotations

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from pathlib import Path
from typing import Final

from predictors.serving.errors import ModelLoadError, StartupError
from predictors.serving.model import Model, Runtime
from predictors.serving.repository.folder import find_models
from predictors.serving.repository.source import ModelSource
from predictors.serving.twins import TwinRuntime
from predictors.storage import redacted

__all__ = ["FolderRepository", "LoneModel", "runtime_of"]

Fetched = Callable[[str], AbstractContextManager[Path]]

_IMPLEMENTATIONS: Final[Mapping[str, str]] = {
    "mlserver_sklearn.SKLearnModel": "sklearn",
    "mlserver_xgboost.XGBoostModel": "xgboost",
    "mlserver_lightgbm.LightGBMModel": "lightgbm",
    "mlserver_mlflow.MLflowRuntime": "mlflow",
    "mlserver_huggingface.HuggingFaceRuntime": "huggingface",
    "mlserver_onnx.OnnxModel": "onnx",
}
"""MLServer's runtimes, and which of ours serves their models."""


class FolderRepository:
    """The models of a folder. `fetched` makes a folder of a URI, for as long as it is entered."""

    def __init__(
        self, folder: Path, runtime: Runtime, fetched: Fetched, *, all_versions: bool = False
    ) -> None:
        self._folder = folder
        self._runtime = runtime
        self._fetched = fetched
        self._all_versions = all_versions

    def find(self) -> Sequence[ModelSource]:
        """The versions to be served. Raises `StorageError`."""
        return find_models(self._folder, all_versions=self._all_versions)

    def load(self, source: ModelSource) -> Model:
        """The loaded model. Raises `StartupError`."""
        return _loaded(source, runtime_of(source.implementation, self._runtime), self._fetched)


class LoneModel:
    """The repository of a server that has only one model: its name, and where it is."""

    def __init__(self, name: str, location: str, runtime: Runtime, fetched: Fetched) -> None:
        self._source = ModelSource(name, "1", location)
        self._runtime = runtime
        self._fetched = fetched

    def find(self) -> Sequence[ModelSource]:
        """The model, whether its files are still there or not."""
        return [self._source]

    def load(self, source: ModelSource) -> Model:
        """The loaded model. Raises `StartupError`."""
        return _loaded(source, self._runtime, self._fetched)


def _loaded(source: ModelSource, runtime: Runtime, fetched: Fetched) -> Model:
    with ExitStack() as stack:
        folder = stack.enter_context(fetched(str(source.location)))
        try:
            model = _model(runtime, source.name, folder)
            model.version = source.version
            if source.batching is not None:
                model.batching = source.batching
            model.load()
        except StartupError:
            raise
        except Exception as error:
            where = f"{redacted(str(source.location))}: {type(error).__name__}: {error}"
            raise ModelLoadError(where) from error
    return model


def _model(runtime: Runtime, name: str, folder: Path) -> Model:
    """The model's twin where it has one, else its original; not yet loaded."""
    choice = None
    if isinstance(runtime, TwinRuntime):
        choice = runtime.choose_twin(name, folder)
        if choice.twin is not None:
            return choice.twin
    runtime.prepare()
    model = runtime.model(name, folder)
    if choice is not None:
        choice.note(model)
    return model


def runtime_of(implementation: str, own: Runtime) -> Runtime:
    """The runtime that `implementation` names: ours, MLServer's, or none for the server's own.

    Raises `ModelLoadError` naming what is known.
    """
    name = _IMPLEMENTATIONS.get(implementation, implementation).removeprefix("predictors.")
    if name in ("", own.name):
        return own
    known = sorted(set(_IMPLEMENTATIONS.values()))
    if name not in known and own.name == "custom":
        return own  # the class of a model of the user's own
    if name not in known:
        raise ModelLoadError(
            f"implementation {implementation} is not known here. Known: {', '.join(known)}, and "
            f"{', '.join(_IMPLEMENTATIONS)}."
        )
    try:
        module = importlib.import_module(f"predictors.{name}.runtime")
    except ImportError as error:
        raise ModelLoadError(
            f"implementation {implementation} needs {error.name}, which is not installed here."
        ) from error
    runtime: Runtime = module.RUNTIME
    return runtime
