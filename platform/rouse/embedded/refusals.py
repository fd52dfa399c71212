"""How refusals of the activator travel through Envoy: what the activator and the mesh agree on."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

__all__ = ["TRAVEL_STATUSES", "travel_status"]

TRAVEL_STATUSES: Final[Mapping[int, int]] = {500: 450, 502: 452, 503: 453, 504: 454}
"""What clients see -> what the activator says. Envoy takes any 5xx of a check for a failed check
and drops its body and headers, so 5xx travel as 4xx that nobody else uses."""


def travel_status(status: int) -> int:
    """The status with which the activator sends a refusal that clients see as ``status``."""
    return TRAVEL_STATUSES.get(status, status)
