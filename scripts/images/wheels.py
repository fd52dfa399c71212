"""Gathers an image's wheels on this machine, so that its build needs no network.

pip's own settings (indexes, certificates, credentials) are used here and never enter an image.
"""

from __future__ import annotations

import fcntl
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from scripts.images.inside.stages import requirements
from scripts.images.table import Image

__all__ = ["gathered", "wanted"]


def wanted(root: Path, image: Image, extras: Sequence[str] = ()) -> list[str]:
    """The requirements of an image, as its build stage computes them."""
    project = tomllib.loads((root / "pyproject.toml").read_text(encoding="utf-8"))["project"]
    base = project["dependencies"] if image.base_dependencies else []
    return sorted([*requirements(project, [*image.extras, *extras]), *image.libraries, *base])


@contextmanager
def gathered(
    root: Path, image: Image, extras: Sequence[str] = (), python: str = "3.11"
) -> Iterator[None]:
    """Within it, ``build/wheels`` has the image's wheels, for `python` and this processor.

    A build beside this one waits for its end. Raises CalledProcessError when pip fails; what it
    says is on stderr.
    """
    folder = root / "build/wheels"
    folder.parent.mkdir(exist_ok=True)
    with (folder.parent / "wheels.lock").open("w") as lock:
        fcntl.flock(lock, fcntl.LOCK_EX)
        shutil.rmtree(folder, ignore_errors=True)
        command = [
            *(sys.executable, "-m", "pip", "download", "--quiet", "--dest", str(folder)),
            *("--only-binary", ":all:", "--python-version", python),
            *("--constraint", str(root / "constraints.txt"), *wanted(root, image, extras)),
        ]
        try:
            subprocess.run(command, check=True)
            yield
        finally:
            shutil.rmtree(folder, ignore_errors=True)
