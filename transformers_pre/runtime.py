"""How the model server finds the user's class and makes a model of it."""

from __future__ import annotations

import importlib
import importlib.util
import sys
from collections.abc import Callable, Mapping
from functools import partial
from pathlib import Path
from types import ModuleType
from typing import TYPE_CHECKING, TypeAlias, TypeGuard

from predictors.custom import compat
from predictors.serving.errors import ModelLoadError
from transformers_pre.kserve_steps import KServeSteps, is_kserve
from transformers_pre.predictor import PredictorSettings, predictor_of
from transformers_pre.transformer import Transformer

if TYPE_CHECKING:
    from predictors.serving.model import Model

__all__ = ["Maker", "TransformerRuntime", "find_class"]

Maker: TypeAlias = Callable[[str, Path, Mapping[str, str]], Transformer]
"""Makes a transformer of its name, the folder with its files, and its options."""


class TransformerRuntime:
    """The runtime of one transformer: a class, or the name of one."""

    name = "transformer"

    def __init__(
        self,
        transformer: Maker | str,
        predictor: PredictorSettings,
        options: Mapping[str, str],
    ) -> None:
        self._named = transformer
        self._predictor = predictor
        self._options = options
        self._found: Maker | None = None

    def prepare(self) -> None:
        """Import the user's code and the predictor's client. Raises `ModelLoadError`."""
        predictor_of(self._predictor)
        named = self._named
        self._found = find_class(named) if isinstance(named, str) else named

    def warm(self) -> None:
        """Import the user's code."""
        self.prepare()

    def rehearse(self) -> None:
        """Nothing is rehearsed: what user code does first is its own."""

    def model(self, name: str, folder: Path) -> Model:
        """The transformer, not yet loaded."""
        from transformers_pre.model import TransformerModel

        if self._found is None:
            self.prepare()
        assert self._found is not None  # noqa: S101 - prepare found it or raised
        transformer = self._found(name, folder, self._options)
        predictor = predictor_of(self._predictor, transformer.forwarded)
        return TransformerModel(transformer, predictor)


def find_class(named: str) -> Maker:
    """What makes the class of ``module:Class`` or ``path/to/file.py:Class``.

    Without ``:Class`` the module's only transformer; a subclass of ``kserve.Model`` is one as well.
    Raises `ModelLoadError` saying what is there.
    """
    where, _, name = named.partition(":")
    compat.install()
    try:
        module = (
            _from_file(Path(where)) if where.endswith(".py") else importlib.import_module(where)
        )
    except Exception as error:
        raise ModelLoadError(f"--module {named}: {type(error).__name__}: {error}") from error
    found = {key: value for key, value in vars(module).items() if _is_transformer(value)}
    if name in found:
        return _maker(found[name])
    own = {key: each for key, each in found.items() if each.__module__ == module.__name__}
    if not name and len(own) == 1:
        return _maker(next(iter(own.values())))
    there = ", ".join(sorted(own)) or "none"
    raise ModelLoadError(
        f"--module {named}: give module:Class, a subclass of transformers_pre.Transformer or "
        f"kserve.Model; those of the module: {there}"
    )


def _is_transformer(value: object) -> TypeGuard[type]:
    return isinstance(value, type) and (issubclass(value, Transformer) or is_kserve(value))


def _maker(kind: type) -> Maker:
    return kind if issubclass(kind, Transformer) else partial(KServeSteps, kind)


def _from_file(path: Path) -> ModuleType:
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if spec is None or spec.loader is None:
        raise ImportError(f"{path} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    return module
