"""Times as kubectl shows them."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

__all__ = ["UNKNOWN", "age", "human_duration", "moment"]

UNKNOWN = "<unknown>"


def human_duration(seconds: float) -> str:
    """A duration in at most two units, coarser as it grows: ``5s``, ``3m20s``, ``26h``, ``2d``."""
    total = int(seconds)
    if total < -1:
        return "<invalid>"
    if total < 120:
        return f"{max(total, 0)}s"
    minutes = total // 60
    if minutes < 10:
        return _two(minutes, "m", total % 60, "s")
    if minutes < 180:
        return f"{minutes}m"
    hours = total // 3600
    if hours < 8:
        return _two(hours, "h", minutes % 60, "m")
    if hours < 48:
        return f"{hours}h"
    days = hours // 24
    if days < 8:
        return _two(days, "d", hours % 24, "h")
    if days < 2 * 365:
        return f"{days}d"
    if days < 8 * 365:
        return _two(days // 365, "y", days % 365, "d")
    return f"{days // 365}y"


def _two(major: int, major_unit: str, minor: int, minor_unit: str) -> str:
    return f"{major}{major_unit}{minor}{minor_unit}" if minor else f"{major}{major_unit}"


def moment(timestamp: Any) -> datetime | None:
    """The moment of an RFC 3339 text; None for anything else."""
    if not isinstance(timestamp, str):
        return None
    try:
        parsed = datetime.fromisoformat(timestamp)
    except ValueError:
        return None
    return parsed if parsed.tzinfo is not None else parsed.replace(tzinfo=UTC)


def age(timestamp: Any, now: datetime) -> str:
    """The time since a timestamp, ``<unknown>`` when there is none."""
    then = moment(timestamp)
    return UNKNOWN if then is None else human_duration((now - then).total_seconds())
