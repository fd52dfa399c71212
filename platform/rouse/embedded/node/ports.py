"""Ports of this machine for containers: listening sockets passed on, or numbers to bind."""

from __future__ import annotations

import socket
from collections import OrderedDict
from typing import Any, Final

from rouse.errors import EngineError

__all__ = ["FreePorts", "listen", "serving_container"]

_HOST: Final = "127.0.0.1"
_BACKLOG: Final = 1024
_REMEMBERED: Final = 256


def serving_container(pod: dict[str, Any]) -> str | None:
    """Name of the container that serves: the first with ports, else the first."""
    containers = pod.get("spec", {}).get("containers") or []
    chosen = next((c for c in containers if c.get("ports")), containers[0] if containers else None)
    return chosen["name"] if chosen else None


def listen(preferred: int | None = None) -> socket.socket:
    """A listening socket on loopback, on ``preferred`` when that is free (a restarted replica keeps
    its address). The caller owns it."""
    for port in [preferred, 0] if preferred else [0]:
        listener = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
        try:
            listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            listener.bind((_HOST, port))
            listener.listen(_BACKLOG)
        except OSError as error:
            listener.close()
            if not port:
                raise EngineError(f"no free port on {_HOST}: {error}") from error
        else:
            return listener
    raise AssertionError("unreachable: port 0 either binds or raises")


class FreePorts:
    """Numbers for commands that bind for themselves. One handed out lately is not repeated, because
    its owner may not have bound it yet."""

    def __init__(self) -> None:
        self._recent: OrderedDict[int, None] = OrderedDict()

    def take(self, preferred: int | None = None) -> int:
        """A port that nobody listens on; ``preferred`` when that is still free."""
        for _ in range(_REMEMBERED):
            with listen(preferred) as probe:
                port = int(probe.getsockname()[1])
            if port == preferred or port not in self._recent:
                break
        self._recent[port] = None
        while len(self._recent) > _REMEMBERED:
            self._recent.popitem(last=False)
        return port
