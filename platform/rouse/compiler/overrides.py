"""Annotations that send requests to the canary by header or cookie, and copies of them."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rouse.api.base import Object
from rouse.api.inferenceservice.annotations import (
    CANARY_COOKIE,
    CANARY_HEADER,
    MIRROR_PERCENT,
    parse_override,
)
from rouse.api.inferenceservice.types import InferenceService

__all__ = ["mirror_percent", "override_matches"]


def override_matches(isvc: InferenceService) -> list[Object]:
    """Return Istio matches of the requests that ask for the canary by themselves."""
    return [{"headers": headers} for headers in _headers(isvc)]


def mirror_percent(isvc: InferenceService) -> int:
    """Return how many percent of the requests the canary gets a copy of."""
    return int(isvc.annotations.get(MIRROR_PERCENT, "0"))


def _headers(isvc: InferenceService) -> Iterator[Object]:
    header = isvc.annotations.get(CANARY_HEADER)
    if header is not None:
        name, value = parse_override(header)
        # In Istio an empty match asks for the header to be there.
        yield {name.lower(): {} if value is None else {"exact": value}}
    cookie = isvc.annotations.get(CANARY_COOKIE)
    if cookie is not None:
        name, value = parse_override(cookie)
        wanted = "[^;]*" if value is None else re.escape(value)
        yield {"cookie": {"regex": rf"(.*;\s*)?{re.escape(name)}={wanted}(;.*)?"}}
