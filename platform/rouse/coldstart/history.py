"""When a service was busy: its spells, from what its revisions say of themselves.

A revision is Active from the first request of a spell until its stable window has passed without
one, whatever keeps its pods beyond that; so its transitions tell of requests, and nobody has to
count them. Only what was begun ahead of a request tells nothing while it lasts: it is a spell if it
lasted longer than it would have without requests.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from itertools import pairwise
from math import ceil
from typing import Final, Self

from rouse.coldstart.idle import IdleHistogram

__all__ = ["KEPT", "SPAN_S", "History"]

KEPT: Final = 256
"""Spells that are kept: about three kilobytes as text."""
SPAN_S: Final = 28 * 86_400.0
"""Older spells are forgotten."""

_MINUTE: Final = 60
_SLACK_S: Final = 60.0
"""How much longer than its stable window something lasts that nobody calls: starting takes time."""


@dataclass(frozen=True, slots=True)
class _Open:
    since: float
    foreseen: bool


class History:
    """The spells of one service as (begin, end), in seconds since the epoch, in order and apart."""

    __slots__ = ("_open", "_spells")

    def __init__(self, spells: Iterable[tuple[float, float]] = ()) -> None:
        self._spells: list[tuple[float, float]] = []
        self._open: _Open | None = None
        for begin, end in sorted(spells):
            self._add(begin, end)

    @classmethod
    def of(cls, text: str) -> Self:
        """Read what `text` wrote; parts that are not legible are left out."""
        spells = []
        for part in text.split():
            begin, _, lasted = part.partition("+")
            if begin.isdecimal() and lasted.isdecimal():
                start = int(begin) * float(_MINUTE)
                spells.append((start, start + int(lasted) * _MINUTE))
        return cls(spells)

    def text(self) -> str:
        """The spells in minutes since the epoch: ``begin+length begin+length``."""
        return " ".join(
            f"{int(begin // _MINUTE)}+{ceil((end - begin) / _MINUTE)}"
            for begin, end in self._spells
        )

    @property
    def spells(self) -> list[tuple[float, float]]:
        """Those that ended."""
        return list(self._spells)

    @property
    def begins(self) -> list[float]:
        """When each began, and the one that lasts if a request began it."""
        ended = [begin for begin, _ in self._spells]
        lasting = self._open is not None and not self._open.foreseen
        return [*ended, self._open.since] if self._open and lasting else ended

    @property
    def last_end(self) -> float | None:
        """When the last one ended; None while one lasts, or of nothing known."""
        return self._spells[-1][1] if self._spells and self._open is None else None

    @property
    def is_foreseen(self) -> bool:
        """Whether one lasts that no request began."""
        return self._open is not None and self._open.foreseen

    def observe(
        self, *, active: bool, since: float, foreseen: bool = False, stable_s: float = 60.0
    ) -> None:
        """Take in what is so since a time; the same may be said again and again.

        ``foreseen``: no request began it. ``stable_s``: how long it stays active after the last
        request.
        """
        if active:
            if self._open is None:
                self._open = _Open(since, foreseen)
            return
        begun, self._open = self._open, None
        if begun is None or since <= begun.since:
            return
        idle_s = stable_s if not begun.foreseen else stable_s + _SLACK_S
        if begun.foreseen and since - begun.since <= idle_s:
            return
        self._add(begun.since, max(begun.since, since - stable_s))

    def note(self, begin: float) -> None:
        """Take in a wake-up that was measured, unless it is known."""
        lasting = self._open is not None and begin >= self._open.since - _MINUTE
        known = any(b - _MINUTE <= begin <= e + _MINUTE for b, e in self._spells)
        if not lasting and not known:
            self._add(begin, begin)

    def idle(self) -> IdleHistogram:
        """How long it lay idle between them."""
        histogram = IdleHistogram()
        for (_, ended), (begin, _) in pairwise(self._spells):
            histogram.record(max(0.0, begin - ended))
        return histogram

    def _add(self, begin: float, end: float) -> None:
        merged: list[tuple[float, float]] = []
        for start, stop in sorted([*self._spells, (begin, end)]):
            if merged and start - merged[-1][1] <= _MINUTE:
                merged[-1] = (merged[-1][0], max(merged[-1][1], stop))
            else:
                merged.append((start, stop))
        oldest = merged[-1][1] - SPAN_S
        self._spells = [one for one in merged if one[1] >= oldest][-KEPT:]
