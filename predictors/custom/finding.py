"""The user's class: where it is written, and whose kind it is."""

from __future__ import annotations

import importlib
import importlib.util
import inspect
import sys
from enum import Enum
from pathlib import Path
from types import ModuleType
from typing import Final, NamedTuple

import orjson

from predictors.custom import compat
from predictors.custom.failures import reason
from predictors.serving.errors import ModelLoadError
from predictors.serving.policy import Policy
from predictors.serving.repository.folder import SETTINGS_FILE

__all__ = ["Found", "Kind", "find"]

_FILES: Final = ("model.py", "preprocess.py")
_STEPS: Final = ("preprocess", "process", "postprocess")


class Kind(Enum):
    """Whose interface a class has."""

    PLAIN = "plain Python"
    KSERVE = "kserve.Model"
    MLSERVER = "mlserver.MLModel"
    CLEARML = "ClearML Preprocess"


class Found(NamedTuple):
    """A class and its kind; `settings` is MLServer's file beside it, if there is one."""

    cls: type
    kind: Kind
    settings: Path | None = None


def find(named: str | None, folder: Path, policy: Policy, model: str) -> Found:
    """The class that `named`, the settings file, or the files in `folder` give.

    `named` is ``file.py:Class`` (in the folder, or of this machine) or ``package.module:Class``;
    without ``:Class`` it is the only one of its module. Raises `ModelLoadError`.
    """
    root = folder if folder.is_dir() else folder.parent
    settings = root / SETTINGS_FILE
    found_settings = settings if settings.is_file() else None
    if named is None and found_settings is not None:
        named = _implementation(settings)
    where, _, name = (named or _default(root)).partition(":")
    file = _file(where, root)
    policy.check("Python code", str(file or where), model)
    compat.install()
    if str(root) not in sys.path:
        sys.path.insert(0, str(root))
    module = _imported(where, file)
    cls, kind = _chosen(module, name, where)
    return Found(cls, kind, found_settings)


def _default(root: Path) -> str:
    for name in _FILES:
        if (root / name).is_file():
            return name
    inside = ", ".join(sorted(entry.name for entry in root.iterdir())[:8])
    raise ModelLoadError(
        f"{root} holds neither {' nor '.join(_FILES)}. It holds: {inside or 'nothing'}. Name the "
        "class by --module or MODEL_CLASS: file.py:Class or package.module:Class."
    )


def _implementation(settings: Path) -> str | None:
    """``module.Class`` of MLServer's settings as ``module:Class``."""
    try:
        told = orjson.loads(settings.read_bytes()).get("implementation")
    except (OSError, ValueError, AttributeError) as error:
        raise ModelLoadError(f"{settings} cannot be read: {error}.") from error
    if not isinstance(told, str) or "." not in told:
        return None
    module, _, name = told.rpartition(".")
    return f"{module}:{name}"


def _file(where: str, root: Path) -> Path | None:
    """The file `where` names; None for a module that is installed."""
    if where.endswith(".py"):
        file = root / where
        if not file.is_file():
            raise ModelLoadError(f"{where} is not in {root}, nor a file of this machine.")
        return file
    parts = where.split(".")
    beside = root.joinpath(*parts).with_suffix(".py")
    return beside if len(parts) == 1 and beside.is_file() else None


def _imported(where: str, file: Path | None) -> ModuleType:
    try:
        return importlib.import_module(where) if file is None else _loaded(file)
    except Exception as error:
        # User code may exit or fail in any way while it is imported.
        raise ModelLoadError(f"{file or where}: {reason(error)}{compat.advice(error)}") from error
    except SystemExit as error:
        raise ModelLoadError(f"{file or where} exits when it is imported: {error}.") from error


def _loaded(file: Path) -> ModuleType:
    """The module of a file under its own name, so that pickles which refer to it find it.

    It is read anew each time: another model's file, or this one's next version, may be of the name.
    """
    spec = importlib.util.spec_from_file_location(file.stem, file)
    if spec is None or spec.loader is None:
        raise ImportError(f"{file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[file.stem] = module
    spec.loader.exec_module(module)
    return module


def _chosen(module: ModuleType, name: str, where: str) -> tuple[type, Kind]:
    classes = {key: value for key, value in vars(module).items() if inspect.isclass(value)}
    if name:
        cls = classes.get(name)
        if cls is None:
            there = ", ".join(sorted(classes)) or "none"
            raise ModelLoadError(f"{where} has no class {name}. Its classes: {there}.")
        kind = _kind(cls)
        if kind is None:
            raise ModelLoadError(
                f"{where}: class {name} has no method predict, nor ClearML's process or preprocess."
            )
        return cls, kind
    own = {
        key: (cls, kind)
        for key, cls in classes.items()
        if cls.__module__ == module.__name__ and not key.startswith("_") and (kind := _kind(cls))
    }
    bases = {base for cls, _ in own.values() for base in cls.__mro__[1:]}
    leaves = [(cls, kind) for cls, kind in own.values() if cls not in bases]
    if len(leaves) == 1:
        return leaves[0]
    there = ", ".join(cls.__name__ for cls, _ in leaves) or "none"
    raise ModelLoadError(
        f"{where} must have one class that can be served; it has: {there}. Name it by --module or "
        f"MODEL_CLASS: {where}:Class."
    )


def _kind(cls: type) -> Kind | None:
    """By the base where it has one of theirs, else by its methods."""
    for base in cls.__mro__:
        top = base.__module__.partition(".")[0]
        if top == "kserve" and base.__name__ in ("Model", "BaseKServeModel"):
            return Kind.KSERVE
        if top == "mlserver" and base.__name__ == "MLModel":
            return Kind.MLSERVER
    if callable(getattr(cls, "predict", None)):
        return Kind.PLAIN
    return Kind.CLEARML if any(callable(getattr(cls, step, None)) for step in _STEPS) else None
