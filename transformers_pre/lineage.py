"""Which predictor belongs to the revision of the transformer that a request entered by."""

from __future__ import annotations

from ipaddress import ip_address

__all__ = ["tagged"]


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
