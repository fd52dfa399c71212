"""How many routers a request has been through: graphs that ask each other come to an end."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from predictors.graph.errors import LoopError

__all__ = ["HOPS_HEADER", "MOST_HOPS", "next_hop"]

HOPS_HEADER: Final = "rouse-graph-hops"
MOST_HOPS: Final = 16
"""Graphs below one another; without an end one request would keep all of them busy for ever."""


def next_hop(headers: Mapping[str, str]) -> bytes:
    """The line that tells steps how far it is to them. Raises `LoopError`."""
    told = headers.get(HOPS_HEADER) or "0"
    # Not of a router, if it is no number, and so the first one.
    hops = int(told) if told.isascii() and told.isdigit() and len(told) < 9 else 0
    if hops >= MOST_HOPS:
        raise LoopError(hops)
    return b"%s: %d\r\n" % (HOPS_HEADER.encode(), hops + 1)
