"""`rouse explain`: what kinds and fields mean, without a cluster."""

from __future__ import annotations

import textwrap
from collections.abc import Iterator
from typing import TYPE_CHECKING

import click

from rouse.cli.output import aligned

if TYPE_CHECKING:
    from rouse.sdk.explaining import Explanation

__all__ = ["explain_"]

_WIDTH = 96


@click.command("explain")
@click.argument("field", required=False)
def explain_(field: str | None) -> None:
    """Explain a kind or a FIELD, such as isvc.spec.predictor.canaryTrafficPercent.

    Without FIELD the kinds are listed.
    """
    from rouse.sdk.explaining import explain, known_kinds

    if field is None:
        click.echo(aligned([("KIND", "VERSION", "NAMES", "DESCRIPTION"), *known_kinds()]))
        return
    for line in _lines(explain(field)):
        click.echo(line)


def _lines(told: Explanation) -> Iterator[str]:
    yield f"KIND:     {told.kind}"
    yield f"VERSION:  {told.api_version}"
    if told.path:
        needed = "   required" if told.required else ""
        yield f"FIELD:    {told.path} <{told.type}>{needed}"
    yield ""
    yield "DESCRIPTION:"
    yield _wrapped(told.description or "(none)", "  ")
    if told.allowed:
        yield f"ALLOWED:  {', '.join(each or '(empty)' for each in told.allowed)}"
    if told.bounds:
        yield f"BOUNDS:   {'; '.join(told.bounds)}"
    if told.default:
        yield f"DEFAULT:  {told.default}"
    if told.fields:
        yield ""
        yield "FIELDS:"
    for field in told.fields:
        needed = "   required" if field.required else ""
        yield f"  {field.name} <{field.type}>{needed}"
        if field.description:
            yield _wrapped(field.description, "      ")
    if told.open:
        yield ""
        yield "Fields that are not listed are passed on as they are."


def _wrapped(text: str, indent: str) -> str:
    return textwrap.fill(text, _WIDTH, initial_indent=indent, subsequent_indent=indent)
