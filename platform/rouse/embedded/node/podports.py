"""The ports of one pod: what its manifest says -> what this machine gave."""

from __future__ import annotations

import socket
from typing import Any, Final

from rouse.embedded.node.ports import FreePorts, listen

__all__ = ["PodPorts"]

_PORT_ARGUMENTS: Final = ("--http_port=", "--grpc_port=")


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
        if container["name"] not in self._listening or not _numbers(container):
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
        for index, number in enumerate(_numbers(container)):
            if index == 0 and container["name"] in self._listening:
                held = listen(self.actual.get(number))
                self._sockets[container["name"]] = held
                self.actual[number] = int(held.getsockname()[1])
            else:
                self.actual[number] = self._free.take(self.actual.get(number))


def _numbers(container: dict[str, Any]) -> list[int]:
    """The ports a container declares, or else those it is told to serve on.

    Knative takes ports of one container only: a model server behind a transformer declares none.
    """
    declared = [int(port["containerPort"]) for port in container.get("ports") or []]
    if declared:
        return declared
    args = container.get("args") or ()
    told = [[word for word in args if word.startswith(name)] for name in _PORT_ARGUMENTS]
    last = [words[-1].partition("=")[2] for words in told if words]
    return [int(number) for number in last if number.isdecimal() and int(number)]
