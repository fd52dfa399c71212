"""Gathers an image's wheels on this machine, so that its build needs no network.

pip's own settings (indexes, certificates, credentials) are used here and never enter an image.
"""

from __future__ import annotations

import shutil
import subprocess
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path

from scripts.images.inside.stages import requirements
from scripts.images.table import Image

__all__ = ["gather", "wanted"]


def wanted(root: Path, image: Image, extras: Sequence[str] = ()) -> list[str]:
    """The requirements of an image, as its build stage computes them."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = project["dependencies"] if image.base_dependencies else []
    return sorted([*requirements(project, [*image.extras, *extras]), *image.libraries, *base])


def gather(root: Path, image: Image, extras: Sequence[str] = (), python: str = "3.11") -> None:
    """Put the image's wheels for `python` and this machine's architecture into ``build/wheels``.

    Raises CalledProcessError when pip fails; what it says is on stderr.
    """
    folder = root / "build/wheels"
    shutil.rmtree(folder, ignore_errors=True)
    command = [
        *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)),
        *("--only-binary", ":all:", "--python-version", python),
        *("--constraint", str(root / "constraints.txt"), *wanted(root, image, extras)),
    ]
    subprocess.run(command, check=True)
