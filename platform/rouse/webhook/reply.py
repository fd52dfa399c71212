"""What a call is answered with."""

from __future__ import annotations

from dataclasses import dataclass
from http import HTTPStatus

__all__ = ["Reply"]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer over HTTP."""

    body: bytes
    status: HTTPStatus = HTTPStatus.OK
    content_type: str = "application/json"
