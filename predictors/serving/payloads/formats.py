"""Many events as one file: JSON lines, CSV or Parquet."""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Sequence
from importlib.util import find_spec
from typing import Any, Final

import orjson

from predictors.serving.errors import StartupError
from predictors.serving.payloads.events import Event

__all__ = ["COLUMNS", "Write", "format_of"]

Write = Callable[[Sequence[Event]], bytes]

COLUMNS: Final = (
    "id",
    "type",
    "source",
    "time",
    "datacontenttype",
    "inferenceservicename",
    "namespace",
    "component",
    "endpoint",
    "modelname",
    "modelversion",
    "protocol",
    "metadata",
    "annotations",
    "data",
    "data_base64",
)
"""Columns of tables; what an event lacks is empty there."""


def format_of(name: str) -> Write:
    """What writes files of that format. Raises `StartupError` where a package is missing."""
    if name == "json":
        from predictors.serving.payloads.sinks.files import json_lines

        return json_lines
    if name == "csv":
        return _csv
    if find_spec("pyarrow") is None:
        raise StartupError(
            "ROUSE_LOGGER_FORMAT=parquet needs pyarrow, which this image does not have; "
            "choose json or csv."
        )
    return _parquet


def _row(event: Event) -> dict[str, str | None]:
    told = event.structured()
    return {name: _text(told[name]) if name in told else None for name in COLUMNS}


def _text(value: Any) -> str:
    if isinstance(value, str):
        return value
    return orjson.dumps(value).decode()


def _csv(events: Sequence[Event]) -> bytes:
    text = io.StringIO()
    writer = csv.DictWriter(text, COLUMNS, lineterminator="\n")
    writer.writeheader()
    writer.writerows(_row(event) for event in events)
    return text.getvalue().encode()


def _parquet(events: Sequence[Event]) -> bytes:
    import pyarrow  # type: ignore[import-not-found, import-untyped, unused-ignore]
    import pyarrow.parquet  # type: ignore[import-not-found, import-untyped, unused-ignore]

    schema = pyarrow.schema([(name, pyarrow.string()) for name in COLUMNS])
    table = pyarrow.Table.from_pylist([_row(event) for event in events], schema=schema)
    data = io.BytesIO()
    pyarrow.parquet.write_table(table, data, compression="zstd")
    return data.getvalue()
