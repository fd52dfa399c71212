"""`rouse predict`: one request to an InferenceService or InferenceGraph."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click
import orjson

from rouse.cli.options import connection_options
from rouse.cli.targets import target_of
from rouse.errors import InvalidError

__all__ = ["predict"]


@click.command()
@click.argument("name")
@click.option("-f", "--filename", metavar="FILE", help="JSON body, V1 or V2; - for standard input.")
@click.option("-d", "--data", help="The JSON body itself.")
@click.option("--gateway", help="Base URL of the ingress gateway, by default the engine's.")
@click.option("--timing", is_flag=True, help="Show the phases of a cold start on stderr.")
@connection_options
def predict(
    name: str,
    filename: str | None,
    data: str | None,
    gateway: str | None,
    timing: bool,
    kubeconfig: Path | None,
    namespace: str | None,
) -> None:
    """Ask the InferenceService NAME, or ig/NAME, a graph, and print the answer as JSON."""
    from rouse.sdk import Client

    payload = _payload(filename, data)
    resource, bare = target_of(name)
    with Client(kubeconfig, gateway=gateway, namespace=namespace) as client:
        answer = client.request(bare, payload, resource=resource)
    click.echo(orjson.dumps(answer.body))
    if timing:
        for phase, milliseconds in answer.server_timing.items():
            click.echo(f"{phase:>10} {milliseconds:9.1f} ms", err=True)


def _payload(filename: str | None, data: str | None) -> Any:
    if (filename is None) == (data is None):
        raise click.UsageError("give the request with -f FILE or with -d JSON, one of them")
    where = "--data" if filename is None else filename
    if filename == "-":
        text = sys.stdin.read()
    elif filename is not None:
        try:
            text = Path(filename).read_text(encoding="utf-8")
        except OSError as error:
            raise InvalidError(f"{filename}: {error.strerror}") from error
    else:
        text = data or ""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError as error:
        raise InvalidError(f"{where}: not valid JSON: {error}") from error
