"""A virtual environment for each peer, with the torch and transformers it is measured with."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Mapping, Sequence
from importlib.metadata import version
from pathlib import Path
from typing import Final

__all__ = ["installed", "python_of"]

TORCH: Final = "torch==2.13.0"
"""Named so, pip finds the build without CUDA where one is offered."""

_PACKAGES: Final[Mapping[str, Sequence[str]]] = {
    "fastapi": ["fastapi", "uvicorn[standard]", f"transformers=={version('transformers')}"],
    # MLServer does not start under uvloop 0.22; its runtime imports a class that left transformers
    # with 4.42, and TensorFlow, which it brings.
    "mlserver-huggingface": [
        "mlserver==1.7.1",
        "mlserver-huggingface==1.7.1",
        "uvloop<0.22",
        "transformers<4.42",
    ],
}
_UNWANTED: Final[Mapping[str, Sequence[str]]] = {
    # Where it is installed the runtime imports an exporter that does not know this torch.
    "mlserver-huggingface": ["onnxruntime"],
}


def python_of(environments: Path, peer: str, *, install: bool) -> Path:
    """The interpreter of a peer's environment, made first with `install`.

    Raises `LookupError` saying why there is none.
    """
    home = environments / peer
    python, stamp = home / "bin" / "python", home / ".complete"
    if stamp.exists():
        return python
    if not install:
        raise LookupError(f"{home} is not there; --install makes it")
    print(f"making {home} ...", file=sys.stderr)
    subprocess.run([sys.executable, "-m", "venv", home], check=True)
    _pip(python, peer, "install", TORCH, *_PACKAGES[peer])
    if peer in _UNWANTED:
        _pip(python, peer, "uninstall", "--yes", *_UNWANTED[peer])
    stamp.touch()
    return python


def installed(environments: Path, *, install: bool) -> tuple[dict[str, Path], dict[str, str]]:
    """The interpreters of the peers that there are, and of the others why not."""
    found, missing = {}, {}
    for peer in _PACKAGES:
        try:
            found[peer] = python_of(environments, peer, install=install)
        except LookupError as error:
            missing[peer] = str(error)
    return found, missing


def _pip(python: Path, peer: str, *arguments: str) -> None:
    done = subprocess.run(
        [python, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments],
        stderr=subprocess.PIPE,
        text=True,
        check=False,
    )
    if done.returncode:
        reason = (done.stderr.strip().splitlines() or ["without a word"])[-1]
        raise LookupError(f"pip {arguments[0]} failed for {peer}: {reason}")
