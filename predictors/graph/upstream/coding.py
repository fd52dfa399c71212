"""Answers that a service packed though nobody asked it to, as a proxy before it may."""

from __future__ import annotations

from predictors.graph.errors import UnreachableError
from predictors.serving.packed import CODINGS, PackedError, unpack

__all__ = ["CODINGS", "unpacked"]


def unpacked(body: bytes, coding: str, most: int) -> bytes:
    """The body, of at most `most` bytes. Raises `UnreachableError`."""
    try:
        plain = unpack(body, most)
    except PackedError as error:
        raise UnreachableError(f"its answer is no valid {coding}: {error}") from None
    if plain is None:
        raise UnreachableError(f"its answer is larger than {most} bytes, unpacked")
    return plain
