"""What scikit-learn imports and a prediction does not need, left out until it is asked for.

Most of the time and a third of the memory of ``import sklearn`` go into functions that are used in
fitting, in tests, or not at all: ``sklearn.utils.fixes`` imports ``scipy.stats`` and, where it is
installed, pandas; ``sklearn.callback`` imports rich, for bars of progress; ``scipy.optimize``
brings all of ``scipy.spatial`` for one of its optimizers; and a ``from numpy import *`` in SciPy
fetches NumPy's Fortran wrapper and its test tools.
"""

from __future__ import annotations

import importlib
import sys
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec, PathFinder
from threading import Lock
from types import ModuleType
from typing import Any, Final

__all__ = ["lean_imports", "use_now"]

_DEFERRED: Final[Mapping[str, Collection[str]]] = {
    "scipy.stats": {"gmean", "rankdata", "spearmanr"},
    "scipy.optimize._shgo": {"shgo"},
    "numpy.f2py": (),
    "numpy.testing": (),
}
"""Modules imported at their first use, and those of their functions that others import by name."""


@contextmanager
def lean_imports() -> Iterator[None]:
    """Within the block pandas and rich are not found; some modules are imported at their first use.

    What is imported already stays as it is; after the block pandas and rich are found again.
    """
    for name in _DEFERRED:
        if name not in sys.modules:
            _defer(name)
    absent = [name for name in _HIDDEN if sys.modules.setdefault(name, _MISSING) is _MISSING]
    try:
        yield
    finally:
        for name in absent:
            if sys.modules.get(name, name) is _MISSING:
                del sys.modules[name]


def use_now(name: str) -> None:
    """Import a module that waits for its first use, with the others still waiting."""
    _loaded(name)


_HIDDEN: Final = ("pandas", "rich")
_MISSING: Any = None
"""Python refuses to import a module whose entry is None."""


class _Deferred(ModuleType):
    """Stands for a module until something of it is asked for."""

    def __init__(self, spec: ModuleSpec) -> None:
        super().__init__(spec.name)
        self.__spec__ = spec
        if spec.submodule_search_locations is not None:
            self.__path__ = spec.submodule_search_locations

    def __getattr__(self, name: str) -> Any:
        if name in _DEFERRED[self.__name__]:
            return _later(self.__name__, name)
        if name == "__path__":
            raise AttributeError(name)
        return getattr(_loaded(self.__name__), name)


class _SubmoduleFinder(MetaPathFinder, Loader):
    """Has a deferred package imported where one of its modules is, as a pickle may ask for.

    Python would then load the module once more by its own spec; this one's loader does nothing.
    """

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The module as the package's own import has left it."""
        package = fullname.rpartition(".")[0]
        if not isinstance(sys.modules.get(package), _Deferred):
            return None
        _loaded(package)
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
_REPLACING: Final = Lock()
"""Two threads may ask for a module at once: the second must not take away the first one's."""


def _defer(name: str) -> None:
    spec = _spec_of(name)
    if spec is None:
        return
    sys.modules[name] = deferred = _Deferred(spec)
    package, _, child = name.rpartition(".")
    if "." not in package:
        setattr(importlib.import_module(package), child, deferred)
    if _FINDER not in sys.meta_path:
        sys.meta_path.insert(0, _FINDER)


def _spec_of(name: str) -> ModuleSpec | None:
    """Where a module lies, found without importing its packages."""
    path: Sequence[str] | None = None
    spec: ModuleSpec | None = None
    parts = name.split(".")
    for depth in range(1, len(parts) + 1):
        spec = PathFinder.find_spec(".".join(parts[:depth]), path)
        if spec is None:
            return None
        path = spec.submodule_search_locations
    return spec


def _loaded(name: str) -> ModuleType:
    """The real module, in the place of the one that stands for it."""
    with _REPLACING:
        if isinstance(sys.modules.get(name), _Deferred):
            del sys.modules[name]
    return importlib.import_module(name)


def _later(module: str, name: str) -> Callable[..., Any]:
    def call(*args: Any, **kwargs: Any) -> Any:
        return getattr(_loaded(module), name)(*args, **kwargs)

    call.__name__ = name
    return call
