"""How the server imports user code, and which adapter serves its class."""

from __future__ import annotations

import importlib
import os
from pathlib import Path
from typing import TYPE_CHECKING, Final

from predictors.serving.policy import Policy

if TYPE_CHECKING:
    from predictors.custom.finding import Found
    from predictors.serving.model import Model

__all__ = ["RUNTIME", "CustomRuntime"]

_ADAPTERS: Final = ("plain", "kserve_model", "mlserver_model", "clearml_model")


class CustomRuntime:
    """The runtime of classes; `named` as `find` takes it."""

    name = "custom"

    def __init__(self, named: str | None = None) -> None:
        self._named = named

    def prepare(self) -> None:
        """Import what finds and calls classes; theirs is imported when it is found."""
        importlib.import_module("predictors.custom.finding")

    def warm(self) -> None:
        """Import numpy, the codecs, and the adapters of all kinds."""
        self.prepare()
        importlib.import_module("predictors.serving.codecs")
        for adapter in _ADAPTERS:
            importlib.import_module(f"predictors.custom.{adapter}")

    def rehearse(self) -> None:
        """Nothing is rehearsed: what user code does first is its own."""

    def model(self, name: str, folder: Path) -> Model:
        """The model of the class in `folder`, whose module is run. Raises `StartupError`."""
        from predictors.custom.finding import find

        # Read here, not when made: a child of a warm parent has an environment of its own.
        named = self._named or os.environ.get("MODEL_CLASS") or None
        return _adapted(name, find(named, folder, Policy.of(os.environ), name), folder)


def _adapted(name: str, found: Found, folder: Path) -> Model:
    from predictors.custom.finding import Kind

    match found.kind:
        case Kind.KSERVE:
            from predictors.custom.kserve_model import KServeModel

            return KServeModel(name, found.cls, folder)
        case Kind.MLSERVER:
            from predictors.custom.mlserver_model import MLServerModel

            return MLServerModel(name, found.cls, folder, found.settings)
        case Kind.CLEARML:
            from predictors.custom.clearml_model import ClearMLModel

            return ClearMLModel(name, found.cls, folder)
        case Kind.PLAIN:
            from predictors.custom.plain import PlainModel

            return PlainModel(name, found.cls, folder)


RUNTIME: Final = CustomRuntime()
