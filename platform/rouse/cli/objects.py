"""`rouse apply`, `delete`, `get` and `wait`: what one needs where kubectl is not installed."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import orjson
import yaml

from rouse.cli.options import connection_options, files_option, open_sources
from rouse.cli.output import aligned
from rouse.cli.targets import target_of
from rouse.errors import ConflictError, InvalidError, RouseError

__all__ = ["apply", "delete", "get", "wait"]


@click.command()
@files_option
@click.option("--force-conflicts", is_flag=True, help="Take over fields other managers own.")
@connection_options
def apply(
    filenames: tuple[str, ...],
    force_conflicts: bool,
    kubeconfig: Path | None,
    namespace: str | None,
) -> None:
    """Create or change the objects of FILE (server-side apply)."""
    from rouse.sdk import Client

    with Client(kubeconfig, namespace=namespace) as client:
        try:
            for done in client.apply(open_sources(filenames), force=force_conflicts):
                for warning in done.warnings:
                    click.echo(f"Warning: {warning}", err=True)
                click.echo(str(done))
        except ConflictError as error:
            raise RouseError(f"{error}; --force-conflicts takes these fields over") from error


@click.command()
@files_option
@connection_options
def delete(filenames: tuple[str, ...], kubeconfig: Path | None, namespace: str | None) -> None:
    """Delete the objects of FILE, and with them what was made from them."""
    from rouse.sdk import Client

    with Client(kubeconfig, namespace=namespace) as client:
        gone = client.delete(open_sources(filenames))
    for obj in gone:
        click.echo(f"{obj['kind'].lower()}/{obj['metadata']['name']} deleted")
    if not gone:
        click.echo("nothing to delete: no such object is there", err=True)


@click.command()
@click.argument("resource")
@click.argument("name", required=False)
@click.option("-o", "--output", type=click.Choice(["table", "yaml", "json"]), default="table")
@click.option("-A", "--all-namespaces", is_flag=True)
@connection_options
def get(
    resource: str,
    name: str | None,
    output: str,
    all_namespaces: bool,
    kubeconfig: Path | None,
    namespace: str | None,
) -> None:
    """Show objects: `rouse get isvc`, `rouse get pods`, `rouse get ksvc iris-predictor -o yaml`."""
    from rouse.sdk.browse import fetch

    found = fetch(
        resource,
        name,
        kubeconfig=kubeconfig,
        namespace=namespace,
        all_namespaces=all_namespaces,
        as_table=output == "table",
    )
    if output == "table":
        _print_table(found, with_namespace=all_namespaces)
    elif output == "json":
        click.echo(orjson.dumps(found, option=orjson.OPT_INDENT_2))
    else:
        click.echo(yaml.safe_dump(found, sort_keys=False), nl=False)


@click.command()
@click.argument("name")
@click.option("--timeout", "timeout_s", type=float, default=120.0, help="Seconds.")
@connection_options
def wait(name: str, timeout_s: float, kubeconfig: Path | None, namespace: str | None) -> None:
    """Wait until the newest spec of the InferenceService NAME is Ready, or of ig/NAME, a graph."""
    from rouse.sdk import Client

    if timeout_s < 0:
        raise InvalidError(f"--timeout: {timeout_s}: seconds, 0 or more")
    resource, bare = target_of(name)
    with Client(kubeconfig, namespace=namespace) as client:
        client.wait_ready(bare, timeout_s=timeout_s, resource=resource)
    click.echo(f"{resource.kind.lower()}.{resource.group}/{bare} condition met")


def _print_table(table: dict[str, Any], *, with_namespace: bool) -> None:
    columns = [
        (index, column["name"].upper())
        for index, column in enumerate(table["columnDefinitions"])
        if not column.get("priority")
    ]
    rows = table.get("rows") or []
    if not rows:
        click.echo("No resources found", err=True)
        return
    lines = [[_cell(row["cells"][index]) for index, _ in columns] for row in rows]
    lines.insert(0, [title for _, title in columns])
    if with_namespace and any(map(_namespace, rows)):
        places = ["NAMESPACE", *map(_namespace, rows)]
        lines = [[place, *line] for place, line in zip(places, lines, strict=True)]
    click.echo(aligned(lines))


def _namespace(row: dict[str, Any]) -> str:
    return str(((row.get("object") or {}).get("metadata") or {}).get("namespace", ""))


def _cell(value: Any) -> str:
    return "" if value is None else str(value)
