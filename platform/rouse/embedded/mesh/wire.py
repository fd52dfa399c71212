"""The few protobuf messages of the endpoint discovery service, as bytes.

Filesystem xDS costs Envoy an inotify instance for every cluster, and a user has 128 of them, so
endpoints go by gRPC. Their messages are small enough to be written by hand; everything larger goes
by file as JSON. Field numbers: ``envoy/service/discovery/v3/discovery.proto`` and
``envoy/config/endpoint/v3``.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Final

from rouse.embedded.protobuf import block, text, varint
from rouse.errors import EngineError

__all__ = [
    "ENDPOINTS_TYPE",
    "DiscoveryRequest",
    "FrameReader",
    "encode_assignment",
    "encode_response",
    "frame",
]

ENDPOINTS_TYPE: Final = "type.googleapis.com/envoy.config.endpoint.v3.ClusterLoadAssignment"

_VARINT: Final = 0
_FIXED64: Final = 1
_BYTES: Final = 2
_FIXED32: Final = 5
_FRAME_HEADER: Final = struct.Struct(">BI")
_LARGEST_FRAME: Final = 16 << 20


@dataclass(frozen=True, slots=True)
class DiscoveryRequest:
    """What Envoy sends: a subscription, an acknowledgement (nonce), or a refusal (error)."""

    names: tuple[str, ...]
    type_url: str
    version: str = ""
    nonce: str = ""
    error: str = ""

    @classmethod
    def decode(cls, message: bytes) -> DiscoveryRequest:
        """Read the protobuf message; raises EngineError when it is none."""
        names: list[str] = []
        texts = {1: "", 4: "", 5: ""}
        error = ""
        for number, value in _fields(message):
            if not isinstance(value, bytes):
                continue
            if number == 3:
                names.append(value.decode())
            elif number in texts:
                texts[number] = value.decode()
            elif number == 6:
                error = _status_message(value)
        return cls(tuple(names), texts[4], version=texts[1], nonce=texts[5], error=error)


class FrameReader:
    """Cuts a gRPC stream into its messages."""

    def __init__(self) -> None:
        self._buffer = bytearray()

    def feed(self, data: bytes) -> Iterator[bytes]:
        """Yield the messages that are complete now; raises EngineError on a broken stream."""
        self._buffer += data
        while len(self._buffer) >= _FRAME_HEADER.size:
            compressed, size = _FRAME_HEADER.unpack_from(self._buffer)
            if compressed or size > _LARGEST_FRAME:
                raise EngineError("Envoy sent a gRPC message that is compressed or too large")
            end = _FRAME_HEADER.size + size
            if len(self._buffer) < end:
                return
            message = bytes(self._buffer[_FRAME_HEADER.size : end])
            del self._buffer[:end]
            yield message


def frame(message: bytes) -> bytes:
    """Wrap a message for a gRPC stream."""
    return _FRAME_HEADER.pack(0, len(message)) + message


def encode_response(version: str, nonce: str, resources: Iterable[bytes]) -> bytes:
    """Write a DiscoveryResponse with these ClusterLoadAssignments."""
    wrapped = (text(1, ENDPOINTS_TYPE) + block(2, resource) for resource in resources)
    return b"".join(
        [
            text(1, version),
            *(block(2, resource) for resource in wrapped),
            text(4, ENDPOINTS_TYPE),
            text(5, nonce),
        ]
    )


def encode_assignment(name: str, endpoints: Iterable[tuple[str, int]]) -> bytes:
    """Write a ClusterLoadAssignment: one locality with these addresses, in their order."""
    listed = b"".join(block(2, _endpoint(host, port)) for host, port in endpoints)
    return text(1, name) + (block(2, listed) if listed else b"")


def _endpoint(host: str, port: int) -> bytes:
    """LbEndpoint { endpoint { address { socket_address { address, port_value } } } }."""
    socket_address = text(2, host) + varint(3 << 3 | _VARINT) + varint(port)
    return block(1, block(1, block(1, socket_address)))


def _fields(message: bytes) -> Iterator[tuple[int, bytes | int]]:
    """Yield field numbers and values; length-delimited ones as bytes."""
    at = 0
    try:
        while at < len(message):
            tag, at = _read_varint(message, at)
            kind = tag & 7
            if kind == _VARINT:
                value, at = _read_varint(message, at)
                yield tag >> 3, value
                continue
            if kind == _BYTES:
                size, at = _read_varint(message, at)
            elif kind in (_FIXED64, _FIXED32):
                size = 8 if kind == _FIXED64 else 4
            else:
                raise ValueError(f"wire type {kind}")
            if at + size > len(message):
                raise ValueError("a field ends outside the message")
            yield tag >> 3, message[at : at + size]
            at += size
    except (IndexError, ValueError) as error:
        raise EngineError(f"Envoy sent a message that is no protobuf: {error}") from error


def _read_varint(message: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        byte = message[at]
        at += 1
        value |= (byte & 0x7F) << shift
        shift += 7
        if byte < 0x80:
            return value, at
        if shift > 63:
            raise ValueError("a number of more than 64 bits")


def _status_message(status: bytes) -> str:
    """Read ``google.rpc.Status.message``."""
    for number, value in _fields(status):
        if number == 2 and isinstance(value, bytes):
            return value.decode(errors="replace")
    return "refused without a reason"
