"""Replicas report to the node: an AF_UNIX datagram socket, one JSON object per datagram.

``{"type": "phase", "name": "load", "seconds": 0.004, "pid": 7}``, ``{"type": "ready", "pid": 7}``,
``{"type": "answered", "pid": 7}`` after the first answer,
``{"type": "failed", "error": "...", "pid": 7}``. Anything else is ignored. A report only hastens a
probe; it never makes a pod ready by itself.
"""

from __future__ import annotations

import asyncio
import math
import socket
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import orjson

__all__ = ["Answered", "Failed", "NotifySocket", "Phase", "Ready", "Report", "parse_report"]

_EARLY: Final = 256
_EARLY_S: Final = 5.0
_BURST: Final = 64
_MAX_DATAGRAM: Final = 64 << 10


@dataclass(frozen=True, slots=True)
class Phase:
    """A phase of the start took ``seconds``."""

    pid: int
    name: str
    seconds: float


@dataclass(frozen=True, slots=True)
class Ready:
    """The server accepts requests."""

    pid: int


@dataclass(frozen=True, slots=True)
class Answered:
    """The first request was answered."""

    pid: int


@dataclass(frozen=True, slots=True)
class Failed:
    """The server gives up, and why."""

    pid: int
    error: str


Report = Phase | Ready | Answered | Failed


def parse_report(data: bytes) -> Report | None:
    """A datagram's report, or None when it is not one."""
    try:
        message = orjson.loads(data)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(message, dict):
        return None
    pid = message.get("pid")
    if not isinstance(pid, int) or isinstance(pid, bool):
        return None
    match message.get("type"):
        case "ready":
            return Ready(pid)
        case "answered":
            return Answered(pid)
        case "failed":
            return Failed(pid, str(message.get("error", ""))[:4096])
        case "phase":
            return _phase(pid, message.get("name"), message.get("seconds"))
    return None


def _phase(pid: int, name: object, seconds: object) -> Phase | None:
    if not isinstance(name, str) or not isinstance(seconds, int | float):
        return None
    if not 0 < len(name) <= 32 or not math.isfinite(seconds) or seconds < 0:
        return None
    return Phase(pid, name, float(seconds))


class NotifySocket:
    """Receives reports and hands them to whoever registered the pid."""

    def __init__(self, path: Path, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.path = path
        self._clock = clock
        self._socket: socket.socket | None = None
        self._listeners: dict[int, Callable[[Report], None]] = {}
        # a forked replica can report before its warm parent has told the node its pid
        self._early: OrderedDict[int, list[tuple[float, Report]]] = OrderedDict()

    @property
    def listeners(self) -> int:
        """How many processes somebody listens for."""
        return len(self._listeners)

    def start(self) -> None:
        """Bind the socket, replacing a leftover one."""
        self.path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
        self.path.unlink(missing_ok=True)
        self._socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM | socket.SOCK_NONBLOCK)
        self._socket.bind(str(self.path))
        self.path.chmod(0o600)
        asyncio.get_running_loop().add_reader(self._socket, self.receive)

    def stop(self) -> None:
        """Close and remove the socket."""
        if self._socket is not None:
            asyncio.get_running_loop().remove_reader(self._socket)
            self._socket.close()
            self._socket = None
            self.path.unlink(missing_ok=True)

    def register(self, pid: int, listener: Callable[[Report], None]) -> None:
        """Hand reports of ``pid`` to ``listener``, those of the last seconds at once."""
        self._listeners[pid] = listener
        fresh = self._clock() - _EARLY_S
        for arrived, report in self._early.pop(pid, []):
            if arrived >= fresh:
                listener(report)

    def unregister(self, pid: int) -> None:
        """Forget a process."""
        self._listeners.pop(pid, None)

    def receive(self) -> None:
        """Hand out what has arrived. The loop calls it; before forgetting a pid, so may others."""
        if self._socket is None:
            return
        for _ in range(_BURST):
            try:
                data = self._socket.recv(_MAX_DATAGRAM)
            except OSError:
                return
            report = parse_report(data)
            if report is not None:
                self._deliver(report)

    def _deliver(self, report: Report) -> None:
        listener = self._listeners.get(report.pid)
        if listener is not None:
            listener(report)
            return
        kept = self._early.setdefault(report.pid, [])
        if len(kept) < 16:
            kept.append((self._clock(), report))
        if len(self._early) > _EARLY:
            self._early.popitem(last=False)
