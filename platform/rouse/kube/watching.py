"""What a watch yields, and how it is read from its lines."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass
from enum import StrEnum
from typing import Any

import httpx
import orjson

from rouse.errors import ApiError, UnavailableError
from rouse.kube.errors import error_of_status
from rouse.kube.objects import Object
from rouse.kube.resources import Resource

__all__ = ["EventType", "WatchEvent", "event_of", "lines_of"]


class EventType(StrEnum):
    """What happened to an object; a bookmark only carries a newer resourceVersion."""

    ADDED = "ADDED"
    MODIFIED = "MODIFIED"
    DELETED = "DELETED"
    BOOKMARK = "BOOKMARK"


@dataclass(frozen=True, slots=True)
class WatchEvent:
    """One line of a watch."""

    type: EventType
    object: Object


async def lines_of(response: httpx.Response) -> AsyncIterator[bytes]:
    """Yield the lines of a watch, in whatever pieces they come."""
    rest = b""
    async for chunk in response.aiter_bytes():
        *lines, rest = (rest + chunk).split(b"\n")
        for line in lines:
            if line:
                yield line
    if rest:
        yield rest


def event_of(line: bytes, resource: Resource, *, where: str) -> WatchEvent:
    """Read one line; raises the error that the API put into it, or `UnavailableError`."""
    try:
        event = orjson.loads(line)
        kind, obj = event["type"], event["object"]
        if kind == "ERROR":
            raise _error_of_event(obj, where)
        obj.setdefault("apiVersion", resource.api_version)
        obj.setdefault("kind", resource.kind)
        return WatchEvent(EventType(kind), obj)
    except (orjson.JSONDecodeError, KeyError, TypeError, ValueError) as error:
        message = f"{where}: a line of the watch cannot be read"
        raise UnavailableError(message, reason="BadAnswer") from error


def _error_of_event(status: Mapping[str, Any], where: str) -> ApiError:
    return error_of_status(500, status, where=where)
