"""Schedules: when a service is to be awake, as its owner wrote it down.

A line is a cron expression of five fields, how long to stay awake, and where the clock hangs:
``0 8 * * mon-fri for 10h in Europe/Berlin``. Lines are separated by newlines or semicolons. As in
cron, where day of the month and day of the week are both given, either of them will do. A time that
the change to summer time leaves out is taken as much later; one that comes twice is the first.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from functools import lru_cache
from typing import Final
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

__all__ = ["Line", "awake_until", "next_begin", "parse_schedule"]

_LONGEST: Final = timedelta(days=7)
_MOST_LINES: Final = 20
_MOST_A_DAY: Final = 96
_HORIZON_DAYS: Final = 8 * 366
"""A 29 February is eight years away at most."""

_SHAPE: Final = re.compile(
    r"(?P<cron>\S+(?:\s+\S+){4})\s+for\s+(?P<length>\S+)(?:\s+in\s+(?P<zone>\S+))?"
)
_PART: Final = re.compile(r"([0-9]+)(d|h|m|s)")
_SECONDS: Final = {"d": 86_400, "h": 3600, "m": 60, "s": 1}
_DAYS: Final = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
_MONTHS: Final = (
    "jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class _Field:
    name: str
    least: int
    most: int
    words: tuple[str, ...] = ()
    first: int = 0
    """What the first of the words stands for."""


_FIELDS: Final = (
    _Field("minute", 0, 59),
    _Field("hour", 0, 23),
    _Field("day of the month", 1, 31),
    _Field("month", 1, 12, _MONTHS, 1),
    _Field("day of the week", 0, 7, _DAYS, 0),
)


@dataclass(frozen=True, slots=True)
class Line:
    """One line: wall times at which a service is to be awake, and for how long."""

    minutes: frozenset[int]
    hours: frozenset[int]
    days: frozenset[int] | None
    """Of the month; None: any."""
    months: frozenset[int]
    weekdays: frozenset[int] | None
    """0 is Sunday; None: any."""
    length: timedelta
    zone: str

    def begins_on(self, day: date) -> Iterator[datetime]:
        """Yield, in order, when it begins on a day where its clock hangs, in UTC."""
        if not self._holds(day):
            return
        zone = ZoneInfo(self.zone)
        for hour in sorted(self.hours):
            for minute in sorted(self.minutes):
                wall = datetime.combine(day, time(hour, minute), tzinfo=zone)
                yield wall.astimezone(UTC)

    def _holds(self, day: date) -> bool:
        if day.month not in self.months:
            return False
        of_month = self.days is None or day.day in self.days
        of_week = self.weekdays is None or day.isoweekday() % 7 in self.weekdays
        if self.days is not None and self.weekdays is not None:
            return of_month or of_week
        return of_month and of_week


def parse_schedule(text: str) -> tuple[Line, ...]:
    """Read a schedule; ValueError says what is wrong with which line, and how it is written."""
    written = [line.strip() for line in re.split(r"[;\n]", text) if line.strip()]
    if not written:
        raise ValueError(
            "holds no line; write, for example, 0 8 * * mon-fri for 10h in Europe/Berlin"
        )
    if len(written) > _MOST_LINES:
        raise ValueError(f"has {len(written)} lines; at most {_MOST_LINES} are allowed")
    return tuple(_parse_line(line) for line in written)


def awake_until(lines: Sequence[Line], now: datetime) -> datetime | None:
    """Return until when it is to be awake, by all lines together; None where it is not."""
    until: datetime | None = None
    at = now
    while (further := max(_ends_around(lines, at), default=at)) > at:
        until = at = further
        if until - now > 2 * _LONGEST:
            break
    return until


def next_begin(lines: Sequence[Line], now: datetime) -> datetime | None:
    """Return the first begin after ``now``; None where none is to come for years."""
    found = [begin for line in lines if (begin := _next(line, now)) is not None]
    return min(found, default=None)


def _ends_around(lines: Iterable[Line], at: datetime) -> Iterator[datetime]:
    """Yield the ends of all that has begun at a time and not ended."""
    for line in lines:
        day = at.astimezone(ZoneInfo(line.zone)).date()
        for back in range(line.length.days + 2):
            for begin in line.begins_on(day - timedelta(days=back)):
                if begin <= at < begin + line.length:
                    yield begin + line.length


def _next(line: Line, now: datetime) -> datetime | None:
    day = now.astimezone(ZoneInfo(line.zone)).date()
    for ahead in range(_HORIZON_DAYS):
        for begin in line.begins_on(day + timedelta(days=ahead)):
            if begin > now:
                return begin
    return None


@lru_cache(maxsize=1024)
def _parse_line(text: str) -> Line:
    shape = _SHAPE.fullmatch(text)
    if shape is None:
        raise ValueError(
            f'"{text}": write <minute> <hour> <day> <month> <weekday> for <duration> [in <zone>], '
            "for example 0 8 * * mon-fri for 10h in Europe/Berlin"
        )
    texts = shape["cron"].split()
    try:
        values = [_values(one, field) for one, field in zip(texts, _FIELDS, strict=True)]
        length = _length(shape["length"])
        zone = _zone(shape["zone"] or "UTC")
    except ValueError as error:
        raise ValueError(f'"{text}": {error}') from error
    minutes, hours, days, months, weekdays = values
    line = Line(
        minutes,
        hours,
        None if texts[2] == "*" else days,
        months,
        None if texts[4] == "*" else frozenset(day % 7 for day in weekdays),
        length,
        zone,
    )
    if (often := len(minutes) * len(hours)) > _MOST_A_DAY:
        raise ValueError(
            f'"{text}": begins {often} times a day, more than {_MOST_A_DAY}; write fewer that last '
            "longer"
        )
    if _next(line, datetime(2024, 1, 1, tzinfo=UTC)) is None:
        raise ValueError(f'"{text}": there is no such day')
    return line


def _values(text: str, field: _Field) -> frozenset[int]:
    found: set[int] = set()
    for part in text.lower().split(","):
        span, slash, step = part.partition("/")
        if slash and not (step.isdecimal() and int(step)):
            raise ValueError(f'the {field.name} "{part}" has no step of 1 or more')
        first, dash, last = span.partition("-")
        if span == "*":
            low, high = field.least, field.most
        else:
            low = _number(first, field)
            high = _number(last, field) if dash else (field.most if slash else low)
        if low > high:
            raise ValueError(f'the {field.name} "{part}" ends before it begins')
        found.update(range(low, high + 1, int(step) if slash else 1))
    return frozenset(found)


def _number(text: str, field: _Field) -> int:
    if text in field.words:
        return field.words.index(text) + field.first
    if text.isdecimal() and text.isascii() and field.least <= int(text) <= field.most:
        return int(text)
    words = f" or {field.words[0]}-{field.words[-1]}" if field.words else ""
    raise ValueError(f'the {field.name} "{text}" is not {field.least}-{field.most}{words}')


def _length(text: str) -> timedelta:
    parts = _PART.findall(text)
    seconds = sum(int(number) * _SECONDS[unit] for number, unit in parts)
    if "".join(number + unit for number, unit in parts) != text or seconds < 60:
        raise ValueError(f'"{text}" is no duration of a minute or more; write 30m, 10h or 1h30m')
    if seconds > _LONGEST.total_seconds():
        raise ValueError(f'"{text}" is longer than {_LONGEST.days} days; use minReplicas: 1')
    return timedelta(seconds=seconds)


def _zone(name: str) -> str:
    try:
        ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise ValueError(f'there is no time zone "{name}"; write UTC or Europe/Berlin') from error
    return name
