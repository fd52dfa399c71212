"""Which of the mesh's listeners a VirtualService is attached to, by its Gateways."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Final

from rouse.embedded.mesh.translate.names import INGRESS, LOCAL
from rouse.embedded.mesh.translate.problems import UNSUPPORTED, Finding
from rouse.kube.objects import Key, Object, key_of

__all__ = ["Attachment", "GatewayTable"]

_MESH: Final = "mesh"
_LISTENER_OF_PORT: Final = {80: INGRESS, 8080: INGRESS, 8081: LOCAL}
_PROTOCOLS: Final = frozenset(["HTTP", "HTTP2", "GRPC"])


@dataclass(frozen=True, slots=True)
class Attachment:
    """A server of a gateway: its listener, its port number, and the hosts it lets in."""

    listener: str
    port: int
    hosts: tuple[str, ...] = ("*",)

    def admits(self, host: str) -> bool:
        """Whether a VirtualService may claim the host here."""
        return any(_covers(allowed, host) for allowed in self.hosts)


_BUILT_IN: Final[dict[Key, tuple[Attachment, ...]]] = {
    Key("knative-serving", "knative-ingress-gateway"): (Attachment(INGRESS, 80),),
    Key("knative-serving", "knative-local-gateway"): (Attachment(LOCAL, 8081),),
}
"""Knative's two gateways are there even before their objects are."""

_INSIDE: Final = (Attachment(LOCAL, 80),)
"""``mesh`` means callers inside the cluster; here those come through the local gateway."""


class GatewayTable:
    """Finds the attachments of a gateway reference."""

    def __init__(self, gateways: Iterable[Object]) -> None:
        self._attachments = dict(_BUILT_IN)
        self.findings: list[Finding] = []
        for gateway in gateways:
            self._attachments[key_of(gateway)] = self._read(gateway)

    def find(self, reference: str, namespace: str) -> tuple[Attachment, ...] | None:
        """Look up ``ns/name`` or a name of the same namespace; None if there is no such one."""
        if reference == _MESH:
            return _INSIDE
        before, slash, after = reference.partition("/")
        return self._attachments.get(Key(before, after) if slash else Key(namespace, before))

    def _read(self, gateway: Object) -> tuple[Attachment, ...]:
        found = []
        for i, server in enumerate((gateway.get("spec") or {}).get("servers") or ()):
            port = server.get("port") or {}
            number, protocol = int(port.get("number", 0)), str(port.get("protocol", "HTTP")).upper()
            listener = _LISTENER_OF_PORT.get(number)
            if listener is None or protocol not in _PROTOCOLS:
                ports = ", ".join(str(known) for known in _LISTENER_OF_PORT)
                message = (
                    f"spec.servers[{i}].port: {number}/{protocol} has no listener in the embedded "
                    f"mesh; it has HTTP on {ports}"
                )
                self.findings.append(Finding("Gateway", key_of(gateway), UNSUPPORTED, message))
                continue
            hosts = tuple(host.rpartition("/")[2].lower() for host in server.get("hosts") or ("*",))
            found.append(Attachment(listener, number, hosts))
        return tuple(found)


def _covers(allowed: str, host: str) -> bool:
    if allowed in ("*", host):
        return True
    return allowed.startswith("*.") and host.endswith(allowed[1:])
