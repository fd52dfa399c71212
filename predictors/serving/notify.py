"""Telling the node how the start goes, over the datagram socket named by ROUSE_NOTIFY_SOCKET."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from time import perf_counter
from typing import Any, Final

import orjson

__all__ = ["TERMINATION_LOG", "Notifier"]

TERMINATION_LOG: Final = Path("/dev/termination-log")
"""What the kubelet shows as the reason of a container's end; it is there in containers only."""
_TERMINATION_BYTES: Final = 4096


class Notifier:
    """Sends phases, ready and failed. A node that does not listen is no reason to fail."""

    def __init__(self, path: str | None) -> None:
        self._path = path
        self.phases: dict[str, float] = {}

    @contextmanager
    def phase(self, name: str) -> Iterator[None]:
        """Measure a phase of the start (import, fetch, load, warmup) and report its seconds."""
        started = perf_counter()
        yield
        seconds = perf_counter() - started
        self.phases[name] = seconds
        self._send({"type": "phase", "name": name, "seconds": seconds})

    def ready(self) -> None:
        """The model answers from now on."""
        self._send({"type": "ready"})

    def answered(self) -> None:
        """The first request was answered."""
        self._send({"type": "answered"})

    def failed(self, error: str) -> None:
        """The process is about to exit without ever having been ready."""
        self._send({"type": "failed", "error": error})
        _leave_word(error)

    def _send(self, message: dict[str, Any]) -> None:
        if not self._path:
            return
        message["pid"] = os.getpid()
        with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as channel:
            channel.setblocking(False)
            try:
                channel.sendto(orjson.dumps(message), self._path)
            except OSError:
                pass


def _leave_word(error: str) -> None:
    """Write the reason where the kubelet looks for it; without it, it takes lines of the log."""
    if TERMINATION_LOG.is_file():
        with suppress(OSError):
            TERMINATION_LOG.write_bytes(error.encode()[:_TERMINATION_BYTES])
