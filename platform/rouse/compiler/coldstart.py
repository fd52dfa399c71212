"""The last wake-up of an InferenceService, from what its revisions wrote down."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import orjson

from rouse.api.base import Object

__all__ = ["LAST_COLD_START", "latest_cold_start"]

LAST_COLD_START = "rouse.dev/last-cold-start"
"""In status.annotations of a Revision: JSON {time (RFC 3339), totalMs, phases {name: ms}}."""


def latest_cold_start(
    revisions: Mapping[str, Object], previous: Mapping[str, Any] | None
) -> Object | None:
    """Return the newest wake-up of the revisions, or of the status before; None when there is none.

    A note that is no such JSON is left aside.
    """
    found = [*_notes(revisions), *([dict(previous)] if previous else [])]
    return max(found, key=_time, default=None)


def _time(note: Mapping[str, Any]) -> str:
    # RFC 3339 in UTC with the same precision sorts as text.
    return str(note.get("time", ""))


def _notes(revisions: Mapping[str, Object]) -> Iterable[Object]:
    for name, revision in sorted(revisions.items()):
        written = ((revision.get("status") or {}).get("annotations") or {}).get(LAST_COLD_START)
        if written is None:
            continue
        try:
            note = orjson.loads(written)
        except orjson.JSONDecodeError:
            continue
        if isinstance(note, dict) and {"time", "totalMs"} <= note.keys():
            yield {"time": note["time"], "revision": name, "totalMs": note["totalMs"]} | (
                {"phases": note["phases"]} if note.get("phases") else {}
            )
