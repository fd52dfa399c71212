"""Answers that a service packed though nobody asked it to, as a proxy before it may."""

from __future__ import annotations

import zlib
from typing import Final

from predictors.graph.errors import UnreachableError

__all__ = ["CODINGS", "unpacked"]

CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS


def unpacked(body: bytes, coding: str, most: int) -> bytes:
    """The body, of at most `most` bytes. Raises `UnreachableError`."""
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        plain = unpacking.decompress(body, most + 1)
    except zlib.error as error:
        raise UnreachableError(f"its answer is no valid {coding}: {error}") from None
    if len(plain) > most:
        raise UnreachableError(f"its answer is larger than {most} bytes, unpacked")
    if not unpacking.eof:
        raise UnreachableError(f"its answer is no valid {coding}: it ends early")
    return plain
