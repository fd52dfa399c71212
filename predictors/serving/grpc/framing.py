"""Several messages as one string of bytes, each behind its length."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import Final

__all__ = ["framed", "unframed"]

_LENGTH: Final = 4


def framed(messages: Iterable[bytes]) -> bytes:
    """The messages, each behind its length in four bytes, big-endian."""
    return b"".join(len(each).to_bytes(_LENGTH, "big") + each for each in messages)


def unframed(data: bytes) -> Iterator[bytes]:
    """What was framed."""
    start = 0
    while start < len(data):
        end = start + _LENGTH + int.from_bytes(data[start : start + _LENGTH], "big")
        yield data[start + _LENGTH : end]
        start = end
