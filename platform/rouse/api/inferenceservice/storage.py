"""Model locations: the schemes of storageUri.

A ClusterStorageContainer can bring further schemes, so what the object alone can tell about a
location is its form (`explain_location`); whether anybody knows the scheme, the compiler says.
"""

from __future__ import annotations

import re
from dataclasses import dataclass

__all__ = ["SCHEMES", "ClaimPath", "explain_location", "explain_uri", "parse_claim"]

SCHEMES = (
    "file",
    "gs",
    "hdfs",
    "hf",
    "http",
    "https",
    "oci",
    "oci+fetch",
    "oci+native",
    "pvc",
    "s3",
    "webhdfs",
)

_NAMED = re.compile(r"([a-z][a-z0-9+.-]*)://(.*)", re.DOTALL)
_CONTROL = re.compile(r"[\x00-\x1f\x7f]")
_CLAIM = re.compile(r"[a-z0-9]([-a-z0-9.]*[a-z0-9])?")


@dataclass(frozen=True, slots=True)
class ClaimPath:
    """A path inside a PersistentVolumeClaim; the path is relative and may be empty."""

    claim: str
    path: str


def parse_claim(uri: str) -> ClaimPath | None:
    """Read ``pvc://claim/path``; None when the uri has another scheme."""
    scheme, _, rest = uri.partition("://")
    if scheme != "pvc":
        return None
    claim, _, path = rest.partition("/")
    return ClaimPath(claim, path.strip("/"))


def explain_uri(uri: str) -> str | None:
    """Say what is wrong with a location of Rouse's own schemes; None when nothing is."""
    scheme = uri.partition("://")[0]
    if _NAMED.fullmatch(uri) is not None and scheme not in SCHEMES:
        return f'"{scheme}://" is not supported; allowed: {_listed()}'
    return explain_location(uri)


def explain_location(uri: str) -> str | None:
    """Say what is wrong with the form of a location, of any scheme; None when it is right."""
    if _CONTROL.search(uri):
        return f"{uri!r} has a line's end or another control character in it; remove it"
    named = _NAMED.fullmatch(uri)
    if named is None:
        return (
            f'"{uri}" has no scheme; write pvc://<claim>/<path>, file:///<path>, or one of '
            + _listed()
        )
    scheme, rest = named.groups()
    if not rest.strip("/"):
        return f'"{uri}" names no location after {scheme}://'
    claim = parse_claim(uri)
    if claim is None:
        return None
    if _CLAIM.fullmatch(claim.claim) is None:
        return f'"{claim.claim}" is no name of a PersistentVolumeClaim'
    if ".." in claim.path.split("/"):
        return f'the path "{claim.path}" leaves the claim; remove ".."'
    return None


def _listed() -> str:
    return ", ".join(f"{scheme}://" for scheme in SCHEMES)
