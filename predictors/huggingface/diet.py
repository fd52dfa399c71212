"""What transformers imports and a server of one process does not need, left out of its start.

A third of the time goes into torch's compiler, for a few decorators; into SymPy and all of
torch.distributed, for tensors of several processes; into SciPy's optimizers, for losses in
training; and into looking for all models a second time. What is left out here is imported, as
ever, by who asks for it.
"""

from __future__ import annotations

import importlib
import logging
import sys
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from types import ModuleType
from typing import Any, Final

__all__ = ["import_transformers"]

_log = logging.getLogger(__name__)

_HEAVY: Final = "transformers.modeling_utils"
_USERS: Final = (_HEAVY, "transformers.generation.utils", "transformers.masking_utils")
_COMPILER: Final = "torch._dynamo"
_TRACING: Final = f"{_COMPILER}._trace_wrapped_higher_order_op"
_DISTRIBUTED: Final = "is_torch_distributed_available"
_PREFIX: Final = "models."

Structure = Mapping[frozenset[str], Mapping[str, set[str]]]
"""What transformers knows of its modules: by what they need, their names, and theirs."""


def import_transformers() -> None:
    """Import what every model of transformers needs; what is imported already stays as it is.

    To transformers this is then a torch without torch.distributed, which it knows from other
    systems. With vLLM installed, which may spread a model of transformers over processes, and where
    another version of transformers wants what is left out, all is imported.
    """
    if _HEAVY not in sys.modules and find_spec("vllm") is None:
        try:
            _import_lean()
        except (ImportError, AttributeError) as error:
            _log.info("transformers is imported with all it asks for: %s", error)
    for name in _USERS:
        importlib.import_module(name)


def _import_lean() -> None:
    utils = importlib.import_module("transformers.utils")
    known = importlib.import_module("transformers.utils.import_utils")
    with ExitStack() as undone:
        for module in (utils, known):
            undone.enter_context(_instead(module, _DISTRIBUTED, _absent))
        _import_parts(utils, known)
        undone.pop_all()


def _import_parts(utils: ModuleType, known: ModuleType) -> None:
    with _instead(known, "define_import_structure", _found_once(known)):
        importlib.import_module("transformers.models")
    with _without_compiler():
        with _instead(utils, "is_scipy_available", _absent):
            importlib.import_module("transformers.loss.loss_utils")
        for name in _USERS:
            importlib.import_module(name)


def _absent() -> bool:
    return False


@contextmanager
def _without_compiler() -> Iterator[None]:
    """Within the block decorators that tell the compiler of a function leave it as it is.

    Nothing here is compiled; to one who compiles something after all, they were advice.
    """
    if _COMPILER in sys.modules:
        yield
        return
    compiler, tracing = ModuleType(_COMPILER), ModuleType(_TRACING)
    for name in ("allow_in_graph", "assume_constant_result", "disable"):
        setattr(compiler, name, _unchanged)
    vars(compiler)["__path__"] = []
    vars(tracing)["TransformGetItemToIndex"] = _transform_later
    sys.modules |= {_COMPILER: compiler, _TRACING: tracing}
    try:
        yield
    finally:
        del sys.modules[_COMPILER], sys.modules[_TRACING]
        vars(importlib.import_module("torch")).pop("_dynamo", None)


def _unchanged(function: Any = None, *_: Any, **__: Any) -> Any:
    """The function, or the decorator that returns it."""
    return function or _unchanged


def _transform_later() -> Any:
    return importlib.import_module(_TRACING).TransformGetItemToIndex()


def _found_once(known: ModuleType) -> Any:
    """``define_import_structure``, which for all models is what ``import transformers`` found."""
    original = known.define_import_structure
    models = Path(str(known.__file__)).parents[1] / "models"

    def define(path: str, prefix: str | None = None) -> Structure:
        if prefix is not None or Path(path) != models / "__init__.py":
            found: Structure = original(path, prefix)
            return found
        whole: Structure = original(models, prefix=_PREFIX[:-1])
        return {
            needs: {name.removeprefix(_PREFIX): names for name, names in modules.items()}
            for needs, modules in whole.items()
        }

    return define


@contextmanager
def _instead(module: ModuleType, name: str, value: Any) -> Iterator[None]:
    """Within the block `module` has `value` by that name."""
    original = getattr(module, name)
    setattr(module, name, value)
    try:
        yield
    finally:
        setattr(module, name, original)
