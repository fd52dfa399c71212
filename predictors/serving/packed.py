"""Bodies as their sender packed them."""

from __future__ import annotations

import zlib
from typing import Final

__all__ = ["CODINGS", "PackedError", "unpack"]

CODINGS: Final = frozenset({"gzip", "x-gzip", "deflate"})
_GZIP_OR_ZLIB: Final = 32 + zlib.MAX_WBITS


class PackedError(Exception):
    """What was packed is damaged; says how."""


def unpack(body: bytes, most: int) -> bytes | None:
    """What a body of `CODINGS` holds; None where that is more than `most` bytes.

    Raises `PackedError`.
    """
    unpacking = zlib.decompressobj(_GZIP_OR_ZLIB)
    try:
        plain = unpacking.decompress(body, most + 1)
    except zlib.error as error:
        raise PackedError(str(error)) from None
    if len(plain) > most:
        return None
    if not unpacking.eof:
        raise PackedError("it ends early")
    return plain
