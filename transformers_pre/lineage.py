"""Which predictor belongs to the revision of the transformer that a request entered by.

Rouse sets the header on every request to a transformer while a canary is tried; its value is the
tag of the predictor's revision, which has a host of its own. Any other value leads nowhere.
"""

from __future__ import annotations

from collections.abc import Mapping
from ipaddress import ip_address
from typing import Final

__all__ = ["LINEAGE_HEADER", "lineage_of", "tagged"]

LINEAGE_HEADER: Final = "rouse-lineage"

_TAGS: Final = frozenset({"latest", "prev"})


def lineage_of(headers: Mapping[str, str]) -> str | None:
    """The tag a request carries; None without a valid one."""
    tag = headers.get(LINEAGE_HEADER, "").strip().lower()
    return tag if tag in _TAGS else None


def tagged(host: str, tag: str | None) -> str:
    """The host of the predictor's revision with that tag.

    A predictor in the same pod, or one given by address, has no other host than its own.
    """
    if tag is None or _is_fixed(host.rpartition(":")[0] or host):
        return host
    return f"{tag}-{host}"


def _is_fixed(name: str) -> bool:
    if name == "localhost":
        return True
    try:
        ip_address(name.strip("[]"))
    except ValueError:
        return False
    return True
