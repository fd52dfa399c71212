"""Granian, serving an application on a socket that is already listening."""

from __future__ import annotations

import asyncio
import logging
import os
import socket
from typing import Any, Final, Protocol

from granian._granian import SocketHolder
from granian.constants import HTTPModes, Interfaces
from granian.server import common
from granian.server.embed import Server

from predictors.serving.bodies import Exchange, Scope
from predictors.serving.errors import StartupError

__all__ = ["ABORT_SECONDS", "LAME_DUCK_SECONDS", "Listener", "listening_socket"]

LAME_DUCK_SECONDS: Final = 0.2
"""How long a server that stops still takes connections, saying in every answer that it closes."""
ABORT_SECONDS: Final = 1.0
"""How long what was cut off may take to end."""

_BACKLOG: Final = 1024
_CONNECTIONS: Final = 4096

# Granian's own configuration of logs closes the handlers of this process, and visits every logger
# of it three times: 4 MB of the pages that a forked replica would share.
common.configure_logging = lambda *_: None  # type: ignore[attr-defined]
logging.getLogger("_granian").setLevel(logging.ERROR)


def listening_socket(port: int, inherited: str | None) -> socket.socket:
    """The socket of file descriptor `inherited`, or a new one on all addresses at `port`.

    Raises `StartupError` naming the port.
    """
    if inherited:
        try:
            return socket.socket(fileno=int(inherited))
        except (ValueError, OSError) as error:
            raise StartupError(f"ROUSE_LISTEN_FD={inherited} is no socket: {error}.") from error
    sock = socket.socket(socket.AF_INET, socket.SOCK_STREAM)
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        sock.bind(("0.0.0.0", port))  # noqa: S104 - a predictor is reached from outside its pod
        sock.listen(_BACKLOG)
    except OSError as error:
        sock.close()
        reason = os.strerror(error.errno) if error.errno else str(error)
        raise StartupError(
            f"Cannot listen on port {port}: {reason}. Choose --http_port."
        ) from error
    return sock


class Application(Protocol):
    """What answers requests."""

    async def __rsgi__(self, scope: Scope, exchange: Exchange) -> None:
        """Answer one."""


class Listener(Server):  # type: ignore[misc, unused-ignore]
    """Granian's embedded server on a given socket.

    Granian binds its own sockets only; a socket from outside goes in by the same holder Granian
    uses to hand its socket to worker processes.
    """

    def __init__(self, application: Application, sock: socket.socket) -> None:
        super().__init__(
            application,
            interface=Interfaces.RSGI,
            http=HTTPModes.auto,
            websockets=False,
            backlog=_BACKLOG,
            backpressure=_CONNECTIONS,
        )
        self._inherited = sock
        self._serving: asyncio.Task[None] | None = None

    def _init_shared_socket(self) -> None:
        holder: Any = SocketHolder
        self._shd = holder(self._inherited.detach(), False, _BACKLOG)

    def start(self) -> None:
        """Begin to accept connections."""
        self._serving = asyncio.get_running_loop().create_task(self.serve())

    async def drain(self, seconds: float) -> bool:
        """Accept no more, let requests in flight finish; False if some did not within `seconds`."""
        if self._serving is None:
            return True
        self.interrupt_signal = True
        self.main_loop_interrupt.set()
        done, _ = await asyncio.wait({self._serving}, timeout=seconds)
        return bool(done)
