"""A dashboard as data, and as the JSON that Grafana (9 or later) reads. Pure."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Literal, TypeAlias

__all__ = ["FOLDER", "Board", "Panel", "Query", "Row", "Variable", "text_of"]

Json: TypeAlias = dict[str, Any]

FOLDER: Final = Path(__file__).parents[2] / "manifests" / "observability" / "dashboards"
_WIDTH: Final = 24
_DATASOURCE: Final[Json] = {"type": "prometheus", "uid": "${datasource}"}


@dataclass(frozen=True, slots=True)
class Query:
    """One query and how its series are named."""

    expr: str
    legend: str


@dataclass(frozen=True, slots=True)
class Panel:
    """Queries of one unit; ``unit`` is one of Grafana's, such as ``s`` or ``reqps``."""

    title: str
    unit: str
    queries: tuple[Query, ...]
    text: str = ""
    """What it shows and what to make of it, where the title does not say."""
    kind: Literal["timeseries", "stat", "bargauge"] = "timeseries"
    most: float | None = None
    """The upper end of the axis, where there is one: 1 of a share."""


@dataclass(frozen=True, slots=True)
class Row:
    """Panels beside each other, and below when there are more than a row holds."""

    title: str
    panels: tuple[Panel, ...]
    columns: int = 3


@dataclass(frozen=True, slots=True)
class Variable:
    """What the reader chooses: one, several or all of a query's values."""

    name: str
    query: str


@dataclass(frozen=True, slots=True)
class Board:
    """A dashboard; ``uid`` is its address and its file."""

    uid: str
    title: str
    rows: tuple[Row, ...]
    variables: tuple[Variable, ...] = ()


def text_of(board: Board) -> str:
    """Return the dashboard's JSON; equal boards give equal text."""
    return json.dumps(_board(board), indent=2, ensure_ascii=False) + "\n"


def _board(board: Board) -> Json:
    return {
        "uid": board.uid,
        "title": board.title,
        "tags": ["rouse"],
        "schemaVersion": 38,
        "version": 1,
        "editable": True,
        "graphTooltip": 1,
        "refresh": "30s",
        "time": {"from": "now-1h", "to": "now"},
        "templating": {"list": [_datasource(), *map(_variable, board.variables)]},
        "links": [{"type": "dashboards", "tags": ["rouse"], "title": "Rouse", "asDropdown": True}],
        "panels": list(_panels(board)),
    }


def _datasource() -> Json:
    return {
        "name": "datasource",
        "type": "datasource",
        "query": "prometheus",
        "label": "Prometheus",
    }


def _variable(variable: Variable) -> Json:
    return {
        "name": variable.name,
        "type": "query",
        "datasource": _DATASOURCE,
        "definition": variable.query,
        "query": {"query": variable.query, "refId": variable.name},
        "refresh": 2,
        "sort": 1,
        "multi": True,
        "includeAll": True,
        "allValue": ".+",
        "current": {"text": ["All"], "value": ["$__all"]},
    }


def _panels(board: Board) -> Iterator[Json]:
    number, top = 1, 0
    for row in board.rows:
        yield {
            "id": number,
            "type": "row",
            "title": row.title,
            "collapsed": False,
            "gridPos": {"x": 0, "y": top, "w": _WIDTH, "h": 1},
            "panels": [],
        }
        width, height = _WIDTH // row.columns, 8
        for place, panel in enumerate(row.panels):
            down, across = divmod(place, row.columns)
            where = {"x": across * width, "y": top + 1 + down * height, "w": width, "h": height}
            yield {"id": number + 1 + place, "gridPos": where, **_panel(panel)}
        number += 1 + len(row.panels)
        top += 1 + height * -(-len(row.panels) // row.columns)


def _panel(panel: Panel) -> Json:
    limits = {"min": 0, **({} if panel.most is None else {"max": panel.most})}
    made: Json = {
        "type": panel.kind,
        "title": panel.title,
        "description": panel.text,
        "datasource": _DATASOURCE,
        "fieldConfig": {"defaults": {"unit": panel.unit, **limits}, "overrides": []},
        "options": _OPTIONS[panel.kind],
        "targets": [
            {
                "refId": chr(ord("A") + index),
                "datasource": _DATASOURCE,
                "expr": query.expr,
                "legendFormat": query.legend,
                # Of what is one number or a bar, only the last value is shown.
                **({"range": True} if panel.kind == "timeseries" else {"instant": True}),
            }
            for index, query in enumerate(panel.queries)
        ],
    }
    return made


_LAST: Final[Json] = {"calcs": ["lastNotNull"], "fields": "", "values": False}
_OPTIONS: Final[dict[str, Json]] = {
    "timeseries": {
        "legend": {"displayMode": "list", "placement": "bottom", "showLegend": True},
        "tooltip": {"mode": "multi", "sort": "desc"},
    },
    "stat": {"reduceOptions": _LAST, "colorMode": "value", "graphMode": "area"},
    "bargauge": {"reduceOptions": _LAST, "orientation": "horizontal", "displayMode": "basic"},
}
