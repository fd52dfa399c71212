"""Columns and rows of a meta.k8s.io/v1 Table."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Literal

import orjson

from rouse.embedded.apiserver.jsonpath import compile_path
from rouse.embedded.apiserver.table.age import human_duration, moment

__all__ = ["Column", "IncludeObject", "RowMaker", "make_table"]

Object = dict[str, Any]
IncludeObject = Literal["Metadata", "Object", "None"]
RowMaker = Callable[[Object, datetime], list[Any]]
"""Makes the cells of an object's row, one per column, at a given moment."""


@dataclass(frozen=True, slots=True)
class Column:
    """A column; those of priority above 0 are shown with ``-o wide`` only.

    ``json_path`` says where the cell comes from when no row maker does.
    """

    name: str
    type: str
    json_path: str = ""
    format: str = ""
    priority: int = 0
    description: str = ""

    def definition(self) -> Object:
        """The column as the Table tells it."""
        return {
            "name": self.name,
            "type": self.type,
            "format": self.format,
            "description": self.description,
            "priority": self.priority,
        }


def make_table(
    objects: Iterable[Object],
    columns: Sequence[Column],
    *,
    now: datetime,
    include_object: IncludeObject = "Metadata",
    row_maker: RowMaker | None = None,
) -> Object:
    """A Table of the objects; its own ``metadata`` is empty, for the caller to fill.

    Without a row maker the cells come from the columns' JSON paths, as for custom resources: a
    missing or ill-typed value is null, a ``date`` is shown as the time since. An object whose parts
    are not what the row maker expects is shown by its name alone.
    """
    make_row = row_maker or _path_row(columns)
    rows: list[Object] = []
    for obj in objects:
        row: Object = {"cells": _cells(make_row, obj, now, len(columns))}
        shown = _row_object(obj, include_object)
        if shown is not None:
            row["object"] = shown
        rows.append(row)
    return {
        "kind": "Table",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": {},
        "columnDefinitions": [column.definition() for column in columns],
        "rows": rows,
    }


def _cells(make_row: RowMaker, obj: Object, now: datetime, width: int) -> list[Any]:
    try:
        return make_row(obj, now)
    except (AttributeError, KeyError, TypeError, ValueError):
        # Kinds without a schema may hold anything: one odd object must not hide all the others.
        return [obj.get("metadata", {}).get("name"), *[None] * (width - 1)]


def _row_object(obj: Object, include: IncludeObject) -> Object | None:
    if include == "None":
        return None
    if include == "Object":
        return obj
    return {
        "kind": "PartialObjectMetadata",
        "apiVersion": "meta.k8s.io/v1",
        "metadata": obj.get("metadata", {}),
    }


def _path_row(columns: Sequence[Column]) -> RowMaker:
    paths = [(compile_path(column.json_path), column.type) for column in columns]

    def row(obj: Object, now: datetime) -> list[Any]:
        return [_cell(path.first(obj), kind, now) for path, kind in paths]

    return row


def _cell(value: Any, kind: str, now: datetime) -> Any:
    if value is None:
        return None
    if kind == "string":
        return _text(value)
    if kind == "date":
        then = moment(value)
        return None if then is None else human_duration((now - then).total_seconds())
    if kind == "boolean":
        return value if isinstance(value, bool) else None
    if isinstance(value, bool) or not isinstance(value, int | float):
        return None
    return int(value) if kind == "integer" else value


def _text(value: Any) -> str:
    return value if isinstance(value, str) else orjson.dumps(value).decode()
