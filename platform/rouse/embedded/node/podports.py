"""The ports of one pod: what its manifest says -> what this machine gave."""

from __future__ import annotations

import socket
from typing import Any

from rouse.embedded.node.ports import FreePorts, listen

__all__ = ["PodPorts"]


class PodPorts:
    """Gives every containerPort of a pod a port of loopback; a restart gets the same ones again."""

    def __init__(self, pod: dict[str, Any], listening: frozenset[str], free: FreePorts) -> None:
        self._free = free
        self._listening = listening
        self._sockets: dict[str, socket.socket] = {}
        self.actual: dict[int, int] = {}
        for container in pod["spec"]["containers"]:
            self._assign(container)

    def listener(self, container: dict[str, Any]) -> socket.socket | None:
        """The listening socket for a start of ``container``; the caller closes it afterwards."""
        if container["name"] not in self._listening or not container.get("ports"):
            self._assign(container)
            return None
        if container["name"] not in self._sockets:
            self._assign(container)
        return self._sockets.pop(container["name"])

    def close(self) -> None:
        """Close the sockets nobody took."""
        for held in self._sockets.values():
            held.close()
        self._sockets.clear()

    def _assign(self, container: dict[str, Any]) -> None:
        for index, port in enumerate(container.get("ports") or []):
            number = int(port["containerPort"])
            if index == 0 and container["name"] in self._listening:
                held = listen(self.actual.get(number))
                self._sockets[container["name"]] = held
                self.actual[number] = int(held.getsockname()[1])
            else:
                self.actual[number] = self._free.take(self.actual.get(number))
