"""KServe's sklearn server as a process, from an environment of its own."""

from __future__ import annotations

import os
import subprocess
from pathlib import Path

from perf.peers.__main__ import train
from perf.peers.environments import Environments
from perf.twins import Server

__all__ = ["kserve"]


def kserve(
    environments: Path, sklearnserver: Path | None, scratch: Path, *, install: bool
) -> Server:
    """Its command, with an iris model that its own scikit-learn wrote below ``scratch``.

    With ``install`` its environment is made as `perf.peers` makes it. Raises `LookupError` saying
    why there is no such server.
    """
    python = environments / "kserve" / "bin" / "python"
    if install:
        try:
            made = Environments(environments, sklearnserver)
            python, sklearnserver = made.python("kserve"), made.sklearnserver()
        except (OSError, subprocess.CalledProcessError) as error:
            raise LookupError(f"KServe could not be installed: {error}") from error
    if not python.exists():
        raise LookupError(f"{python} is not there; --install makes it")
    environ = {"PYTHONWARNINGS": "ignore"}  # as in perf.peers: they would cost it a fifth
    if sklearnserver:
        environ["PYTHONPATH"] = str(sklearnserver)
    code = "import importlib.util as u, sys; sys.exit(u.find_spec('sklearnserver') is None)"
    if subprocess.run([python, "-c", code], env={**os.environ, **environ}, check=False).returncode:
        raise LookupError(f"{python} has no sklearnserver; name its folder by --sklearnserver")
    folder = scratch / "kserve-iris"
    try:
        train(python, folder)
    except subprocess.CalledProcessError as error:
        raise LookupError(f"{python} cannot train iris: {error}") from error
    return Server([str(python), "-m", "sklearnserver", f"--model_dir={folder}"], environ)
