"""Tables: kubectl's columns and its way to sum up objects."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from rouse.embedded.apiserver.table import Column, human_duration, make_table

Object = dict[str, Any]

_NOW = datetime(2026, 1, 2, 12, 0, 0, tzinfo=UTC)


def _ago(**delta: float) -> str:
    return (_NOW - timedelta(**delta)).strftime("%Y-%m-%dT%H:%M:%SZ")


@pytest.mark.parametrize(
    ("seconds", "wanted"),
    [
        (-5, "<invalid>"),
        (-1, "0s"),
        (0, "0s"),
        (5.9, "5s"),
        (119, "119s"),
        (120, "2m"),
        (200, "3m20s"),
        (599, "9m59s"),
        (600, "10m"),
        (10_799, "179m"),
        (10_800, "3h"),
        (12_060, "3h21m"),
        (8 * 3600 - 1, "7h59m"),
        (8 * 3600, "8h"),
        (47 * 3600, "47h"),
        (48 * 3600, "2d"),
        (49 * 3600, "2d1h"),
        (8 * 86400, "8d"),
        (729 * 86400, "729d"),
        (730 * 86400, "2y"),
        (800 * 86400, "2y70d"),
        (9 * 365 * 86400, "9y"),
    ],
)
def test_durations(seconds: float, wanted: str) -> None:
    assert human_duration(seconds) == wanted


@settings(deadline=None)
@given(st.integers(0, 10**9))
def test_a_duration_is_short(seconds: int) -> None:
    assert len(human_duration(seconds)) <= 7


_COLUMNS = (
    Column("Name", "string", ".metadata.name", "name"),
    Column("URL", "string", ".status.url", priority=1, description="Where."),
    Column("Count", "integer", ".status.count"),
    Column("Share", "number", ".status.share"),
    Column("On", "boolean", ".status.on"),
    Column("Hosts", "string", ".spec.hosts"),
    Column("Age", "date", ".metadata.creationTimestamp"),
)


@pytest.mark.parametrize(
    ("obj", "wanted"),
    [
        ({"metadata": {"name": "a"}}, ["a", None, None, None, None, None, None]),
        (
            {
                "metadata": {"name": "a", "creationTimestamp": _ago(minutes=3, seconds=20)},
                "status": {"url": "http://x", "count": 3, "share": 0.5, "on": False},
                "spec": {"hosts": ["a", "b"]},
            },
            ["a", "http://x", 3, 0.5, False, '["a","b"]', "3m20s"],
        ),
        (
            {
                "metadata": {"name": "a", "creationTimestamp": "yesterday"},
                "status": {"url": 7, "count": "3", "share": True, "on": "yes"},
            },
            ["a", "7", None, None, None, None, None],
        ),
        ({"metadata": {"name": "a"}, "status": {"count": 3.7}}, ["a", None, 3, *[None] * 4]),
    ],
)
def test_cells_of_custom_resources(obj: Object, wanted: list[Any]) -> None:
    assert make_table([obj], _COLUMNS, now=_NOW)["rows"][0]["cells"] == wanted


def test_the_form_of_a_table() -> None:
    obj: Object = {"kind": "X", "metadata": {"name": "a", "uid": "u"}, "spec": {}}
    table = make_table([obj], _COLUMNS[:2], now=_NOW)
    assert table == {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [
            {
                "name": "Name",
                "type": "string",
                "format": "name",
                "description": "",
                "priority": 0,
            },
            {
                "name": "URL",
                "type": "string",
                "format": "",
                "description": "Where.",
                "priority": 1,
            },
        ],
        "rows": [
            {
                "cells": ["a", None],
                "object": {
                    "kind": "PartialObjectMetadata",
                    "apiVersion": "meta.k8s.io/v1",
                    "metadata": {"name": "a", "uid": "u"},
                },
            }
        ],
    }
    whole = make_table([obj], _COLUMNS[:1], now=_NOW, include_object="Object")
    assert whole["rows"][0]["object"] == obj
    none = make_table([obj], _COLUMNS[:1], now=_NOW, include_object="None")
    assert none["rows"] == [{"cells": ["a"]}]
