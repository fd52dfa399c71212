"""What scikit-learn imports and a prediction does not need, left out until it is asked for.

``sklearn.utils.fixes`` imports ``scipy.stats`` and, where it is installed, pandas: half of
the time and a third of the memory of ``import sklearn``, for functions that are used in fitting.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import find_spec
from types import ModuleType
from typing import Any, Final

__all__ = ["lean_imports"]

_STATS: Final = "scipy.stats"
_FUNCTIONS: Final = frozenset({"gmean", "rankdata", "spearmanr"})
"""Functions of scipy.stats that modules of scikit-learn import by name."""


@contextmanager
def lean_imports() -> Iterator[None]:
    """Within the block pandas is not found, and scipy.stats is imported at its first use.

    What is imported already stays as it is; after the block pandas is found again.
    """
    if _STATS not in sys.modules:
        _defer_stats()
    absent = sys.modules.setdefault("pandas", _MISSING) is _MISSING
    try:
        yield
    finally:
        if absent:
            del sys.modules["pandas"]


_MISSING: Any = None
"""Python refuses to import a module whose entry is None."""


class _Deferred(ModuleType):
    """Stands for scipy.stats until something of it is asked for."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__spec__ = spec
        self.__path__ = spec.submodule_search_locations or []

    def __getattr__(self, name: str) -> Any:
        return _later(name) if name in _FUNCTIONS else getattr(_loaded(), name)


class _SubmoduleFinder(MetaPathFinder, Loader):
    """Has the whole package imported where one of its modules is, as a pickle may ask for.

    Python would then load the module once more by its own spec; this one's loader does nothing.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module as the package's own import has left it."""
        if not fullname.startswith(f"{_STATS}."):
            return None
        _loaded()
        module = sys.modules.get(fullname)
        if module is None:
            return None
        module.__spec__ = ModuleSpec(fullname, self, loader_state=module.__spec__)
        return module.__spec__

    def create_module(self, spec: ModuleSpec) -> ModuleType | None:
        """The module that is there."""
        return sys.modules[spec.name]

    def exec_module(self, module: ModuleType) -> None:
        """It has been executed already, and gets its own spec back."""
        spec = module.__spec__
        module.__spec__ = spec.loader_state if spec is not None else None


_FINDER: Final = _SubmoduleFinder()


def _defer_stats() -> None:
    scipy = importlib.import_module("scipy")
    spec = find_spec(_STATS)
    if spec is not None:
        deferred = _Deferred(spec)
        sys.modules[_STATS] = deferred
        scipy.stats = deferred  # type: ignore[attr-defined, unused-ignore]
        sys.meta_path.insert(0, _FINDER)


def _loaded() -> ModuleType:
    """The real module, in the place of the one that stands for it."""
    if isinstance(sys.modules.get(_STATS), _Deferred):
        sys.meta_path.remove(_FINDER)
        del sys.modules[_STATS]
    return importlib.import_module(_STATS)


def _later(name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(_loaded(), name)(*args, **kwargs)

    call.__name__ = name
    return call
