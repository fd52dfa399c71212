"""TCP ports of the engine: free ones, taken ones, and who holds them."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

from rouse.errors import PortInUseError

__all__ = ["ensure_free", "free_port", "holder_of"]

_LISTEN = "0A"


def free_port(host: str = "127.0.0.1") -> int:
    """A port nobody listens on at this moment."""
    with socket.socket() as probe:
        probe.bind((host, 0))
        port: int = probe.getsockname()[1]
        return port


def ensure_free(port: int, *, purpose: str, option: str, host: str = "127.0.0.1") -> None:
    """Raise PortInUseError, naming the holder and the option that picks another port."""
    with socket.socket() as probe:
        # As the servers do: a port in TIME_WAIT is free, one somebody listens on is not.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            holder = holder_of(port) or f"another process ({error.strerror})"
            raise PortInUseError(
                f"port {port} on {host}, wanted for {purpose}, is in use by {holder}; "
                f"stop it or choose another port with {option}"
            ) from error


def holder_of(port: int) -> str | None:
    """``name (pid N)`` of the process listening on the port, as far as /proc lets us see."""
    inodes = set(_listening_inodes(port))
    if not inodes:
        return None
    for process in Path("/proc").iterdir():
        if process.name.isdigit() and inodes & _socket_inodes(process):
            try:
                name = (process / "comm").read_text().strip()
            except OSError:
                name = "a process"
            return f"{name} (pid {process.name})"
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text().splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            fields = line.split()
            if fields[3] == _LISTEN and int(fields[1].rsplit(":", 1)[1], 16) == port:
                yield fields[9]


def _socket_inodes(process: Path) -> set[str]:
    found = set()
    try:
        for entry in (process / "fd").iterdir():
            target = os.readlink(entry)
            if target.startswith("socket:["):
                found.add(target[8:-1])
    except OSError:
        pass  # the process ended, or it is not ours to look at
    return found
