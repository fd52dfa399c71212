"""ROUSE_HOME: the one folder that holds all state of the embedded engine on this machine."""

from __future__ import annotations

import hashlib
import os
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from rouse.errors import EngineError

__all__ = ["Home"]

_SOCKET_PATH_LIMIT = 100
"""A unix socket's path holds 107 bytes; the longest name we put behind ``run/`` is short."""
_LONGEST_SOCKET_NAME = 24


@dataclass(frozen=True)
class Home:
    """Paths below ROUSE_HOME. Nothing is created until `prepare` is called."""

    root: Path

    @classmethod
    def from_environment(cls, environ: Mapping[str, str] | None = None) -> Home:
        """The folder named by ROUSE_HOME, by default ``~/.rouse``."""
        env = os.environ if environ is None else environ
        given = env.get("ROUSE_HOME")
        root = Path(given).expanduser() if given else Path.home() / ".rouse"
        return cls(Path(os.path.abspath(root)))

    @property
    def kubeconfig(self) -> Path:
        """The kubeconfig that the API server writes: admin of this machine's engine."""
        return self.root / "kubeconfig"

    @property
    def logs(self) -> Path:
        """Logs of the engine's parts, and ``pods/`` with those of the replicas."""
        return self.root / "logs"

    @property
    def volumes(self) -> Path:
        """PersistentVolumeClaims as folders: ``<namespace>/<claim>``."""
        return self.root / "volumes"

    @property
    def models(self) -> Path:
        """Models that this machine's LocalModelNode asks for."""
        return self.root / "models"

    @property
    def mesh(self) -> Path:
        """Envoy's bootstrap and xDS files."""
        return self.root / "mesh"

    @property
    def state_file(self) -> Path:
        """What the running engine says of itself: pid, ports, when it was ready (JSON)."""
        return self.root / "engine.json"

    @property
    def lock_file(self) -> Path:
        """Held (flock) by the running engine, so that one home has one engine."""
        return self.root / "engine.lock"

    @property
    def run(self) -> Path:
        """Unix sockets. Elsewhere when ROUSE_HOME is too deep for a socket's path."""
        usual = self.root / "run"
        if len(os.fsencode(usual)) + _LONGEST_SOCKET_NAME <= _SOCKET_PATH_LIMIT:
            return usual
        digest = hashlib.sha256(os.fsencode(self.root)).hexdigest()[:12]
        return Path(tempfile.gettempdir()) / f"rouse-{os.getuid()}-{digest}"

    def prepare(self) -> None:
        """Create the folders, readable by their owner alone (they hold keys and tokens).

        Raises EngineError where that is not possible.
        """
        try:
            for folder in (self.root, self.logs, self.volumes, self.mesh, self.run):
                folder.mkdir(parents=True, exist_ok=True, mode=0o700)
            if self.run.stat().st_uid != os.getuid():
                raise EngineError(f"{self.run} belongs to another user; remove it")
            self.run.chmod(0o700)
        except OSError as error:
            raise EngineError(
                f"{self.root} cannot hold the engine's state: {error.filename or self.root}: "
                f"{error.strerror}; set ROUSE_HOME to a folder of yours"
            ) from error
