"""Headers of a request that belong to whatever is asked on its behalf, by whoever asks.

The trace and the request's id, and which side of a canary it entered by: Rouse sets the lineage on
every request to a transformer while a canary is tried; its value is the tag of the predictor's
revision, which has a host of its own. Any other value leads nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["LINEAGE_HEADER", "PASSED_ON", "lineage_of"]

PASSED_ON: Final = (
    "b3",
    "baggage",
    "traceparent",
    "tracestate",
    "x-b3-flags",
    "x-b3-parentspanid",
    "x-b3-sampled",
    "x-b3-spanid",
    "x-b3-traceid",
    "x-request-id",
)
"""Names of the headers that are passed on as they came."""

LINEAGE_HEADER: Final = "rouse-lineage"

_TAGS: Final = frozenset({"latest", "prev"})


def lineage_of(headers: Mapping[str, str]) -> str | None:
    """The tag a request carries; None without a valid one."""
    tag = headers.get(LINEAGE_HEADER, "").strip().lower()
    return tag if tag in _TAGS else None
