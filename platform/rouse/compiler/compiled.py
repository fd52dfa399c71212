"""What compiling gives: objects, status, events."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import orjson

from rouse.api.base import Object

__all__ = ["Compiled", "Event"]


@dataclass(frozen=True, slots=True)
class Event:
    """Something worth telling the user, once."""

    type: Literal["Normal", "Warning"]
    reason: str
    message: str


@dataclass(frozen=True, slots=True)
class Compiled:
    """The whole wanted state of one InferenceService."""

    objects: tuple[Object, ...]
    """What shall exist, in the order in which to write it."""
    status: Object
    """The whole status of the InferenceService."""
    events: tuple[Event, ...] = ()
    """What this compile changes; none when nothing does."""
    prune: bool = True
    """Whether objects of the InferenceService that are not listed shall go. False where the spec
    cannot be compiled: what serves already goes on serving."""

    def encode(self) -> bytes:
        """Return objects and status as JSON; equal inputs give equal bytes."""
        whole = {"objects": self.objects, "status": self.status}
        return orjson.dumps(whole, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2)
