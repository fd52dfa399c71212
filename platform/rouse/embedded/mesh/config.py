"""Where the mesh lives and what it listens on."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rouse.errors import ConfigError

__all__ = ["MeshOptions", "MeshPaths", "MeshPorts"]

_SOCKET_PATH_LIMIT: Final = 100
"""Bytes; the kernel refuses paths of 108 and more."""


@dataclass(frozen=True, slots=True)
class MeshPaths:
    """``root`` holds bootstrap and xDS files, ``run`` the sockets, ``log`` is Envoy's log file."""

    root: Path
    run: Path
    log: Path

    @property
    def bootstrap(self) -> Path:
        """What Envoy is started with."""
        return self.root / "bootstrap.json"

    @property
    def listeners(self) -> Path:
        """The LDS file."""
        return self.root / "lds.json"

    @property
    def clusters(self) -> Path:
        """The CDS file."""
        return self.root / "cds.json"

    def routes(self, listener: str) -> Path:
        """The RDS file of one listener."""
        return self.root / f"rds-{listener}.json"

    def policy(self, name: str) -> Path:
        """The file of one filter that decides who may call (ECDS)."""
        return self.root / f"ecds-{name}.json"

    @property
    def admin_socket(self) -> Path:
        """Envoy's admin interface."""
        return self._socket("envoy-admin.sock")

    @property
    def endpoints_socket(self) -> Path:
        """Where Envoy asks for endpoints (gRPC)."""
        return self._socket("envoy-eds.sock")

    @property
    def authorizer_socket(self) -> Path:
        """Where Envoy asks whether an API key is good."""
        return self._socket("authorizer.sock")

    def _socket(self, name: str) -> Path:
        path = self.run / name
        if len(str(path).encode()) >= _SOCKET_PATH_LIMIT:
            raise ConfigError(
                f"the socket path {path} is longer than {_SOCKET_PATH_LIMIT - 1} bytes; "
                "choose a shorter ROUSE_HOME"
            )
        return path


@dataclass(frozen=True, slots=True)
class MeshPorts:
    """TCP ports on ``host``: the ingress gateway, the local gateway, the activator listener."""

    ingress: int
    local: int
    activator: int
    host: str = "127.0.0.1"


@dataclass(frozen=True, slots=True)
class MeshOptions:
    """Settings with defaults for a laptop. Times are in seconds.

    ``debounce`` gathers a burst of changes, ``linger`` is how long a cluster stays after the last
    route to it is gone, ``drain`` how long `stop` waits for requests in flight. The log is looked
    at every ``log_check`` and begun anew beyond ``log_bytes``.
    """

    concurrency: int = 1
    debounce: float = 0.003
    linger: float = 1.0
    ready: float = 10.0
    drain: float = 5.0
    max_connections: int = 10_000
    log_bytes: int = 8 << 20
    log_check: float = 15.0
