"""The annotation of InferenceGraphs that InferenceServices do not have."""

from __future__ import annotations

import re
from collections.abc import Iterator

from rouse.api.base import Strings
from rouse.errors import FieldError

__all__ = ["PROPAGATE_HEADERS", "check_headers", "explain_pattern", "parse_headers"]

PROPAGATE_HEADERS = "rouse.dev/propagate-headers"
"""Names, or regular expressions of names, of headers that this graph's steps get beside those of
the installation; separated by commas."""


def parse_headers(text: str) -> tuple[str, ...]:
    """Read `PROPAGATE_HEADERS`, in its order."""
    return tuple(part.strip() for part in text.split(",") if part.strip())


def check_headers(annotations: Strings) -> Iterator[FieldError]:
    """Find patterns that a router could not read."""
    for pattern in parse_headers(annotations.get(PROPAGATE_HEADERS, "")):
        problem = explain_pattern(pattern)
        if problem:
            yield FieldError(f"metadata.annotations[{PROPAGATE_HEADERS}]", problem)


def explain_pattern(pattern: str) -> str | None:
    """Say what is wrong with the pattern of a header's name; None when nothing is."""
    try:
        re.compile(pattern)
    except re.error as error:
        return f'"{pattern}" is no regular expression: {error}'
    return None
