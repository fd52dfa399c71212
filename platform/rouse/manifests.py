"""Where the manifests that ship with Rouse are: CRDs, runtimes, the embedded engine's own."""

from __future__ import annotations

from pathlib import Path

from rouse.errors import ConfigError

__all__ = ["manifests_dir"]


def manifests_dir() -> Path:
    """The folder that holds ``crds/``, ``runtimes/`` and ``embedded/``.

    In a wheel the manifests are packed inside the package; in a checkout they are the
    repository's own ``manifests/``. Raises ConfigError when neither is there.
    """
    package = Path(__file__).resolve().parent
    for candidate in (package / "_manifests", package.parents[1] / "manifests"):
        if (candidate / "crds").is_dir():
            return candidate
    raise ConfigError(
        f"the manifests that belong to Rouse are missing (looked beside {package}); "
        "install the package again"
    )
