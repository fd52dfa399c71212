"""Wake schedules: cron lines with a duration and a time zone."""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from rouse.api.inferenceservice.schedule import awake_until, next_begin, parse_schedule

OFFICE = parse_schedule("0 8 * * mon-fri for 10h in Europe/Berlin")


def utc(text: str) -> datetime:
    return datetime.fromisoformat(text).replace(tzinfo=UTC)


@pytest.mark.parametrize(
    ("now", "until"),
    [
        ("2026-01-14T06:59:59", None),
        ("2026-01-14T07:00", "2026-01-14T17:00"),
        ("2026-01-14T16:59:59", "2026-01-14T17:00"),
        ("2026-01-14T17:00", None),
        ("2026-07-15T06:00", "2026-07-15T16:00"),  # summer time
        ("2026-01-17T10:00", None),  # a Saturday
    ],
)
def test_awake_in_office_hours(now: str, until: str | None) -> None:
    assert awake_until(OFFICE, utc(now)) == (utc(until) if until else None)


@pytest.mark.parametrize(
    ("schedule", "now", "begin"),
    [
        ("0 8 * * mon-fri for 10h in Europe/Berlin", "2026-01-16T07:00", "2026-01-19T07:00"),
        ("*/30 9-10 * * * for 5m", "2026-01-16T09:30", "2026-01-16T10:00"),
        ("0 0 29 2 * for 1h", "2096-02-29T00:00", "2104-02-29T00:00"),
        ("0 0 1 * 1 for 1h", "2026-01-01T00:00", "2026-01-05T00:00"),  # the 1st, or a Monday
        ("0 0 * * 7 for 1h", "2026-01-16T00:00", "2026-01-18T00:00"),  # 7 is Sunday too
        ("5/20 3 * jan * for 1h", "2026-01-16T03:05", "2026-01-16T03:25"),
        ("0 5 * * * for 1h; 0 4 * * * for 1h", "2026-01-16T00:00", "2026-01-16T04:00"),
        # 02:30 does not exist on that day, and comes twice on this one.
        ("30 2 * * * for 1h in Europe/Berlin", "2026-03-29T00:00", "2026-03-29T01:30"),
        ("30 2 * * * for 1h in Europe/Berlin", "2026-10-25T00:00", "2026-10-25T00:30"),
    ],
)
def test_the_next_begin(schedule: str, now: str, begin: str) -> None:
    assert next_begin(parse_schedule(schedule), utc(now)) == utc(begin)


def test_lines_that_meet_or_overlap_are_one() -> None:
    lines = parse_schedule("0 8 * * * for 2h\n0 10 * * * for 2h\n30 11 * * * for 1h")
    assert awake_until(lines, utc("2026-01-16T08:00")) == utc("2026-01-16T12:30")


def test_one_that_lasts_over_midnight() -> None:
    lines = parse_schedule("0 22 * * * for 1d2h")
    assert awake_until(lines, utc("2026-01-16T01:00")) is not None


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("", "holds no line"),
        ("0 8 * * for 10h", "write <minute> <hour> <day> <month> <weekday> for <duration>"),
        ("60 8 * * * for 10h", 'the minute "60" is not 0-59'),
        ("0 8 * * mon-fro for 1h", 'the day of the week "fro" is not 0-7 or sun-sat'),
        ("0 8 * 13 * for 1h", 'the month "13" is not 1-12 or jan-dec'),
        ("0 10-8 * * * for 1h", 'the hour "10-8" ends before it begins'),
        ("*/0 8 * * * for 1h", "has no step of 1 or more"),
        ("0 8 * * * for 10", '"10" is no duration of a minute or more'),
        ("0 8 * * * for 8d", "is longer than 7 days; use minReplicas: 1"),
        ("0 8 * * * for 1h in Europe/Bonn", 'there is no time zone "Europe/Bonn"'),
        ("0 8 * * * for 1h in ../etc/passwd", "there is no time zone"),
        ("0 8 30 2 * for 1h", "there is no such day"),
        ("* * * * * for 1h", "begins 1440 times a day"),
        ("0 8 * * * for 1h;" * 21, "has 21 lines; at most 20 are allowed"),
    ],
)
def test_what_is_no_schedule_is_told_why(text: str, message: str) -> None:
    with pytest.raises(ValueError, match=re.escape(message)):
        parse_schedule(text)


@given(st.datetimes(datetime(2025, 1, 1), datetime(2030, 1, 1)), st.integers(1, 48))
def test_awake_from_every_begin_on_and_never_between(moment: datetime, hours: int) -> None:
    lines = parse_schedule(f"17 3,15 * * 1-5 for {hours}h in America/New_York")
    now = moment.replace(tzinfo=UTC)
    begin = next_begin(lines, now)
    assert begin is not None
    assert begin > now
    until = awake_until(lines, begin)
    assert until is not None
    assert until >= begin + timedelta(hours=hours)
    if awake_until(lines, now) is None:
        assert awake_until(lines, begin - timedelta(seconds=1)) is None
