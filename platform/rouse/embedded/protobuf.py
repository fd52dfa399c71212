"""Writing protobuf by hand: the few messages of Envoy and kubectl need no generated code."""

from __future__ import annotations

from typing import Final

__all__ = ["block", "text", "varint"]

_LENGTH_DELIMITED: Final = 2


def varint(value: int) -> bytes:
    """A whole number, not negative, seven bits a byte."""
    out = bytearray()
    while value > 0x7F:
        out.append(value & 0x7F | 0x80)
        value >>= 7
    out.append(value)
    return bytes(out)


def block(field: int, content: bytes) -> bytes:
    """A message or bytes as a field."""
    return varint(field << 3 | _LENGTH_DELIMITED) + varint(len(content)) + content


def text(field: int, value: str) -> bytes:
    """A string as a field."""
    return block(field, value.encode())
