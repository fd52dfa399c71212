"""Which container fetches a model location."""

from __future__ import annotations

import re

from rouse.api.clusterstoragecontainer.types import ClusterStorageContainer, SupportedUriFormat

__all__ = ["matches"]


def matches(storage: ClusterStorageContainer, uri: str) -> bool:
    """Whether the container fetches this location; one that is disabled fetches none."""
    if storage.disabled:
        return False
    return any(_matches(each, uri) for each in storage.spec.supported_uri_formats)


def _matches(each: SupportedUriFormat, uri: str) -> bool:
    if each.prefix is not None:
        return uri.startswith(each.prefix)
    return each.regex is not None and re.match(each.regex, uri) is not None
