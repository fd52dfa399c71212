"""A virtual environment for each server, all with one scikit-learn."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

__all__ = ["SCIKIT_LEARN", "Environments"]

REPOSITORY: Final = Path(__file__).resolve().parents[2]
SCIKIT_LEARN: Final = "scikit-learn==1.5.2"

_KSERVE: Final = "0.21.0"
_PACKAGES: Final[Mapping[str, Sequence[str]]] = {
    # kserve alone lacks kserve-storage.
    "kserve": [f"kserve=={_KSERVE}", f"kserve-storage=={_KSERVE}", "joblib", "pandas<3"],
    # MLServer's workers do not start under uvloop 0.22.
    "mlserver": ["mlserver==1.7.1", "mlserver-sklearn==1.7.1", "uvloop<0.22"],
    "litserve": ["litserve>=0.2,<0.3"],
    "rouse": [f"{REPOSITORY}[sklearn,grpc]"],
}
_SKLEARNSERVER: Final = f"sklearnserver @ git+https://github.com/kserve/kserve@v{_KSERVE}#subdirectory=python/sklearnserver"


class Environments:
    """Makes the environments below a folder, once; they are used again by later runs."""

    def __init__(self, folder: Path, sklearnserver: Path | None) -> None:
        self._folder = folder
        self._sklearnserver = sklearnserver

    def python(self, name: str) -> Path:
        """The interpreter of an environment, which is made first where it is not there."""
        home = self._folder / name
        stamp = home / ".complete"
        if name == "rouse" or not stamp.exists():
            self._make(home, _PACKAGES[name])
            stamp.touch()
        return home / "bin" / "python"

    def sklearnserver(self) -> Path | None:
        """KServe's sklearn server is on no package index: a source tree, or its repository.

        The folder to put on the path; None where it could be installed.
        """
        if self._sklearnserver is not None:
            return self._sklearnserver
        python = self.python("kserve")
        if subprocess.run([python, "-c", "import sklearnserver"], capture_output=True).returncode:
            self._pip(python, "--no-deps", _SKLEARNSERVER)
        return None

    def _make(self, home: Path, packages: Sequence[str]) -> None:
        python = home / "bin" / "python"
        if not python.exists():
            print(f"making {home} ...", file=sys.stderr)
            subprocess.run([sys.executable, "-m", "venv", home], check=True)
        self._pip(python, *packages, SCIKIT_LEARN)

    def _pip(self, python: Path, *packages: str) -> None:
        options = ["--quiet", "--disable-pip-version-check"]
        subprocess.run([python, "-m", "pip", "install", *options, *packages], check=True)
