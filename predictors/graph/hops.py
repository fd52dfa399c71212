"""How many routers a request has been through: graphs that ask each other come to an end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from predictors.graph.errors import LoopError

__all__ = ["HOPS_HEADER", "MOST_HOPS", "next_hop"]

HOPS_HEADER: Final = "rouse-graph-hops"
MOST_HOPS: Final = 16
"""Graphs below one another; without an end one request would keep all of them busy for ever."""
_DIGITS: Final = 9
_LINE: Final = f"{HOPS_HEADER}: %d\r\n".encode()
_FIRST: Final = _LINE % 1


def next_hop(headers: Mapping[str, str]) -> bytes:
    """The line that tells steps how far it is to them. Raises `LoopError`."""
    told = headers.get(HOPS_HEADER)
    # Not of a router, if it is no number, and so the first one.
    if not told or not (told.isascii() and told.isdigit()) or len(told) > _DIGITS:
        return _FIRST
    hops = int(told)
    if hops >= MOST_HOPS:
        raise LoopError(hops)
    return _LINE % (hops + 1)
