"""How commands print objects and tables."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import click
import orjson
import yaml

__all__ = ["aligned", "as_json", "as_yaml", "say_refused"]


def aligned(lines: Sequence[Sequence[str]]) -> str:
    """Return the lines as columns, the first line being the titles."""
    widths = [max(len(line[place]) for line in lines) for place in range(len(lines[0]))]
    return "\n".join(
        "   ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)).rstrip()
        for line in lines
    )


def as_yaml(objects: Sequence[Any]) -> str:
    """Return the objects as YAML documents; equal objects give equal text."""
    return yaml.dump_all(
        objects,
        Dumper=_Dumper,
        sort_keys=True,
        width=100,
        allow_unicode=True,
        explicit_start=True,
    )


def as_json(objects: Sequence[Any]) -> str:
    """Return the objects as one JSON List; equal objects give equal text."""
    listed = {"apiVersion": "v1", "kind": "List", "items": objects}
    return orjson.dumps(
        listed, option=orjson.OPT_SORT_KEYS | orjson.OPT_INDENT_2 | orjson.OPT_APPEND_NEWLINE
    ).decode()


def say_refused(who: str, reasons: Sequence[str]) -> None:
    """Tell on stderr why something was refused, one reason a line."""
    click.echo(f"{who}: refused", err=True)
    for reason in reasons:
        click.echo(f"  {reason}", err=True)


class _Dumper(getattr(yaml, "CSafeDumper", yaml.SafeDumper)):  # type: ignore[misc]
    """Writes every part out in full: an alias would tie one object's text to another's."""

    def ignore_aliases(self, data: object) -> bool:
        return True
