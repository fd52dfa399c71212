"""What the API says beside an answer: ``Warning`` headers, as clients show them to people."""

from __future__ import annotations

import re
from collections.abc import Iterable
from typing import Final

__all__ = ["warnings_in"]

_WARNING: Final = re.compile(r'299 \S+ "((?:[^"\\]|\\.)*)"')
_ESCAPED: Final = re.compile(r"\\(.)")


def warnings_in(headers: Iterable[str]) -> list[str]:
    """Return the texts of Warning headers (RFC 7234, code 299, Kubernetes' own), in their order."""
    return [_ESCAPED.sub(r"\1", text) for header in headers for text in _WARNING.findall(header)]
