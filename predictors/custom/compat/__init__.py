"""What classes written for KServe and MLServer import, where those packages are not installed.

``kserve`` and ``mlserver`` here are packages of their own, found under these names by a finder that
is asked after all others: the genuine ones always come first. README.md says what they have.
"""

from __future__ import annotations

import logging
import sys
from collections.abc import Sequence
from importlib.abc import MetaPathFinder
from importlib.machinery import ModuleSpec
from importlib.util import spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Final

__all__ = ["advice", "install"]

_log = logging.getLogger(__name__)

_HERE: Final = Path(__file__).parent
_NAMES: Final = ("kserve", "mlserver")


class _Finder(MetaPathFinder):
    """Finds our packages of these names; what is in them is found as in any package."""

    def find_spec(
        self, name: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """The spec of one of our packages."""
        if name not in _NAMES:
            return None
        folder = _HERE / name
        _log.info(
            "%s is not installed: Rouse's compatibility modules stand for it (predictors/custom)",
            name,
        )
        return spec_from_file_location(
            name, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


def install() -> None:
    """From now on let the compatibility modules be found, after all that is installed."""
    if not any(isinstance(finder, _Finder) for finder in sys.meta_path):
        sys.meta_path.append(_Finder())


def advice(error: BaseException) -> str:
    """What to do about an import that failed for want of a genuine package; else nothing."""
    if not isinstance(error, ImportError):
        return ""
    top = (error.name or "").partition(".")[0]
    module = sys.modules.get(top)
    ours = top in _NAMES and module is not None and (module.__file__ or "").startswith(str(_HERE))
    return f" The compatibility modules lack this: install {top} in the image." if ours else ""
